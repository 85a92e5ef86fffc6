-- Single requests of a part of the window.
select project_id, start_us, operation_id, status, outcome, @bucket as bucket, 1 as requests, duration_us
from request c
where c.start_us >= $from_@part and c.start_us < $to_@part and @conditions
