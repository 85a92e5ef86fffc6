-- How many rows each project has in @table.
select project_id, count(*) from @table where @condition group by project_id
