-- Requests of the window by latency bucket, for every group.
select @group as "group", bucket, sum(n) as requests, sumIf(n, status >= 500 or outcome = 2) as errors,
       @judged
       sum(us) as duration_us
from (@cells)
group by "group", bucket order by "group", bucket
