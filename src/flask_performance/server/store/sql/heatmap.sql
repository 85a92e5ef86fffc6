-- Requests of the window by step and latency bucket.
select start_us // $step_us * $step_us as starts_us, bucket as buckets, sum(requests)::bigint as requests
from (@cells)
group by starts_us, buckets order by starts_us, buckets
