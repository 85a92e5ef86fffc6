-- Single requests at the edges of the window.
select project_id, start_us, operation_id, status, outcome, @bucket as bucket, 1 as requests, duration_us
from request c
where ((c.start_us >= $start_us and c.start_us < $minutes_from) or (c.start_us >= $minutes_to and c.start_us < $end_us))
  and @conditions
