-- One request of a project. `$id` tells its day.
select @columns from request as c
where c.project_id = $project_id and c.id = $id and c.day >= $from_day and c.day <= $to_day and @settled
