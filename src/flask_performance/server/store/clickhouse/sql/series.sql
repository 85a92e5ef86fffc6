-- Requests of the window by step and latency bucket, with the kind of answer.
select intDiv(start_us, $step_us) * $step_us as "group", bucket, sum(n) as requests, sum(us) as duration_us,
       sumIf(n, outcome = 0 and status < 200) as informational,
       sumIf(n, outcome = 0 and status >= 200 and status < 300) as success,
       sumIf(n, outcome = 0 and status >= 300 and status < 400) as redirect,
       sumIf(n, outcome = 0 and status >= 400 and status < 500) as client_error,
       sumIf(n, outcome = 2 or (outcome = 0 and status >= 500)) as server_error,
       sumIf(n, outcome = 1) as disconnected,
       @judged
       sumIf(n, status >= 500 or outcome = 2) as errors
from (@cells)
group by "group", bucket order by "group", bucket
