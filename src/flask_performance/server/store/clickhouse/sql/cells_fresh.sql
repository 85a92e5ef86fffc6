-- Single requests of stored blocks that are not in the rollups yet.
select project_id, start_us, operation_id, status, outcome, bucket, toInt64(1) as n, toFloat64(duration_us) as us
from request as c
where c.start_us >= $fresh_from and c.start_us < $fresh_to and c.day >= $fresh_day and bitShiftRight(c.id, 20) in $fresh
  and @conditions
