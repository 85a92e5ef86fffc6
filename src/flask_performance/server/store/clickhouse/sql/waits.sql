-- How long requests waited in front of each instance, by bucket, zeros in one of their own.
select instance_id as "group", wire_id, place as bucket, n as requests, toInt64(0) as errors, us as duration_us
from (
    select instance_id, if(queue_us = 0, -1, @bucket_of_queue) as place, toInt64(count()) as n, sum(toFloat64(queue_us)) as us
    from request as c
    where c.start_us >= $start_us and c.start_us < $end_us and c.queue_us >= 0 and @settled and @conditions
    group by instance_id, place
) as l any left join (
    select id as instance_id, wire_id from instance as i where i.project_id = $the_project limit 1 by id
) as r using instance_id
order by "group", bucket
