-- Where a request lies; its id tells the day of storing.
select start_us, id from request as c
where c.project_id = $project_id and c.id = $id and c.day >= $from_day and c.day <= $to_day and @settled
