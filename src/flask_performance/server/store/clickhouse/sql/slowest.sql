-- The requests of the window that took longest.
select @columns from request as c
where c.start_us >= $start_us and c.start_us < $end_us and c.bucket >= $least and @settled and @conditions
order by duration_us desc, id desc limit $limit
