-- Requests of the window by latency bucket, for every group.
select @group as "group", bucket, sum(requests)::bigint as requests,
       coalesce(sum(requests) filter (status >= 500 or outcome = 2), 0)::bigint as errors,
       @judged
       sum(duration_us)::double as duration_us
from (@cells)
group by "group", bucket order by "group", bucket
