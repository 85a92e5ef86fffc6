-- Rows of a project in @table from before a moment; single requests only once they are rolled up.
delete from @table where project_id = $project_id and @time < $before_us and @condition
