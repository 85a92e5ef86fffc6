-- Whole steps of @table in a part of the window.
select project_id, start_us, @operation as operation_id, status, outcome, bucket, requests, duration_us
from @table c
where c.start_us >= $from_@part and c.start_us < $to_@part and @conditions
