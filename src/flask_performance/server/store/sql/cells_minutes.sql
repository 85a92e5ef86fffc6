-- Whole minutes of the window, around its whole hours.
select project_id, start_us, operation_id, status, outcome, bucket, requests, duration_us
from rollup_minute c
where ((c.start_us >= $minutes_from and c.start_us < $hours_from) or (c.start_us >= $hours_to and c.start_us < $minutes_to))
  and @conditions
