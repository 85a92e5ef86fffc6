-- Single requests of a part of the window.
select project_id, start_us, operation_id, status, outcome, bucket, toInt64(1) as n, toFloat64(duration_us) as us
from request as c
where c.start_us >= $from_@part and c.start_us < $to_@part and @settled and @conditions
