-- The consumers of requests that are in the minutes and not in what is coarser yet: those with the most time of an operation,
-- each with its histogram.
insert into consumer_six (project_id, start_us, operation_id, environment, release, consumer, bucket, requests, errors,
                          duration_us, roll, day)
select project_id, step, operation_id, environment, release, consumer, place, n, failed, us, toInt64($roll), toDate($day)
from (
    select project_id, step, operation_id, environment, release, consumer, groupArray(bucket) as places, groupArray(n_) as ns,
           groupArray(failed_) as faults, groupArray(us_) as sums, sum(us_) as total
    from (
        select project_id, intDiv(start_us, $width_us) * $width_us as step, operation_id, environment, release, consumer,
               bucket, toInt64(count()) as n_, toInt64(countIf(status >= 500 or outcome = 2)) as failed_,
               sum(toFloat64(duration_us)) as us_
        from request as c
        where c.day >= $late_day and c.consumer is not null and bitShiftRight(c.id, 20) global in (@covered)
        group by project_id, step, operation_id, environment, release, consumer, bucket
    )
    group by project_id, step, operation_id, environment, release, consumer
    order by total desc, consumer limit @most by project_id, step, operation_id, environment, release
)
array join places as place, ns as n, faults as failed, sums as us
