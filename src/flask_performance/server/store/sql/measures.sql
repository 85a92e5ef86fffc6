-- Every measure of the window's requests by bucket, where it is known; they are numbered as in
-- `shapes.MEASURES`. Sizes go into the same buckets as durations, zeros
-- into one of their own. Waiting is what is not CPU.
with found as (
    select c.duration_us as duration, c.first_byte_us, c.cpu_us, c.queue_us, c.request_bytes, c.response_bytes
    from request c
    where c.start_us >= $start_us and c.start_us < $end_us and @conditions
),
measured as (
    select 0 as measure, duration as duration_us from found
    union all select 1, first_byte_us from found
    union all select 2, cpu_us from found
    union all select 3, greatest(0, duration - cpu_us) from found where cpu_us is not null
    union all select 4, queue_us from found
    union all select 5, request_bytes from found
    union all select 6, response_bytes from found
)
select measure as "group", if(duration_us = 0, -1, @bucket) as bucket, count(*)::bigint as requests, 0::bigint as errors,
       sum(duration_us)::double as duration_us
from measured where duration_us is not null
group by "group", bucket order by "group", bucket
