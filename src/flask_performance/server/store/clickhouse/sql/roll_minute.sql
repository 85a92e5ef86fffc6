-- Requests of stored blocks, merged by minute.
insert into rollup_minute (project_id, start_us, operation_id, environment, release, status, outcome, bucket, requests,
                           duration_us, roll, day)
select project_id, intDiv(start_us, 60000000) * 60000000 as minute, operation_id, environment, release, status, outcome,
       bucket, toInt64(count()), sum(toFloat64(duration_us)), toInt64($roll), toDate($day)
from request as c where c.day >= $fresh_day and bitShiftRight(c.id, 20) in $fresh
group by project_id, minute, operation_id, environment, release, status, outcome, bucket
