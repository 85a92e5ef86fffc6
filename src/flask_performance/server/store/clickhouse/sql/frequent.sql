-- What is asked for in vain most: strangers choose paths, so a sketch of a thousand counters (space saving) picks them.
select arrayJoin(topK(1000)(@key)) from request as c
where c.start_us >= $start_us and c.start_us < $end_us and @vain and @settled and @conditions
