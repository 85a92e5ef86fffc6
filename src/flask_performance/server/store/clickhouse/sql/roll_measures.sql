-- The measures of requests that are in the minutes and not in what is coarser yet.
insert into measure_six (project_id, start_us, operation_id, environment, release, measure, bucket, requests, duration_us, roll,
                         day)
select project_id, intDiv(start_us, $width_us) * $width_us as step, operation_id, environment, release, toInt8(measure - 1),
       if(value = 0, -1, @bucket_of_value) as place, toInt64(count()), sum(toFloat64(value)), toInt64($roll), toDate($day)
from (
    select project_id, start_us, operation_id, environment, release, measure, value from (
        select project_id, start_us, operation_id, environment, release, duration_us, first_byte_us, cpu_us,
               if(cpu_us < 0, -1, greatest(0, duration_us - cpu_us)) as waiting_us, queue_us, request_bytes, response_bytes
        from request as c where c.day >= $late_day and bitShiftRight(c.id, 20) global in (@covered)
    )
    array join [1, 2, 3, 4, 5, 6, 7] as measure,
               [duration_us, first_byte_us, cpu_us, waiting_us, queue_us, request_bytes, response_bytes] as value
)
where value >= 0
group by project_id, step, operation_id, environment, release, measure, place
