-- Requests of the window by step and latency bucket, with the kind of answer.
select start_us // $step_us * $step_us as "group", bucket, sum(requests)::bigint as requests, sum(duration_us)::double as duration_us,
       coalesce(sum(requests) filter (outcome = 0 and status < 200), 0)::bigint as informational,
       coalesce(sum(requests) filter (outcome = 0 and status between 200 and 299), 0)::bigint as success,
       coalesce(sum(requests) filter (outcome = 0 and status between 300 and 399), 0)::bigint as redirect,
       coalesce(sum(requests) filter (outcome = 0 and status between 400 and 499), 0)::bigint as client_error,
       coalesce(sum(requests) filter (outcome = 2 or (outcome = 0 and status >= 500)), 0)::bigint as server_error,
       coalesce(sum(requests) filter (outcome = 1), 0)::bigint as disconnected,
       @judged
       coalesce(sum(requests) filter (status >= 500 or outcome = 2), 0)::bigint as errors
from (@cells)
group by "group", bucket order by "group", bucket
