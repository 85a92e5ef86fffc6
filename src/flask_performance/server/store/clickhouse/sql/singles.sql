-- Some requests, by where they lie.
select @columns from request as c
where c.project_id = $project_id and (c.project_id, c.start_us) in $starts and c.id in $ids
