-- Where the requests of the window lie that took longest: a look at few columns.
select start_us, id, duration_us from request as c
where @hours and c.start_us >= $start_us and c.start_us < $end_us and c.bucket >= $least and @settled and @conditions
order by duration_us desc, id desc limit $limit
