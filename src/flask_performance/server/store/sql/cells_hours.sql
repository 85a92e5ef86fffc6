-- Whole hours of the window.
select project_id, start_us, operation_id, status, outcome, bucket, requests, duration_us
from rollup_hour c
where c.start_us >= $hours_from and c.start_us < $hours_to and @conditions
