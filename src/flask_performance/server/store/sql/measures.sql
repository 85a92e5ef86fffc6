-- Every measure of the window's requests by bucket. Sizes go into the same buckets as durations, zeros
-- into one of their own.
with found as (@singles),
cells as (
    select measure, if(duration_us = 0, -1, @bucket) as bucket, 1 as requests, duration_us from (@measured)
    union all @details
)
select measure as "group", bucket, sum(requests)::bigint as requests, 0::bigint as errors,
       sum(duration_us)::double as duration_us
from cells
group by "group", bucket order by "group", bucket
