-- What is in the minutes and not yet in what is coarser.
select project_id, start_us, @operation as operation_id, status, outcome, bucket, requests as n, duration_us as us
from rollup_minute as c
where c.start_us >= $late_from and c.start_us < $late_to and c.day >= $late_day and c.roll > $upto and c.roll <= $minutes
  and @conditions
