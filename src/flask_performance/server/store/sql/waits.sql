-- How long requests waited in front of each instance, by bucket, zeros in one of their own.
with found as (
    select c.instance_id, c.queue_us as duration_us from request c
    where c.start_us >= $start_us and c.start_us < $end_us and c.queue_us is not null and @conditions
)
select f.instance_id as "group", any_value(i.wire_id) as wire_id, if(duration_us = 0, -1, @bucket) as bucket,
       count(*)::bigint as requests, 0::bigint as errors, sum(duration_us)::double as duration_us
from found f join instance i on i.id = f.instance_id
group by "group", bucket order by "group", bucket
