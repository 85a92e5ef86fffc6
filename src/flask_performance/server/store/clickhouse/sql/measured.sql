-- Every measure of some requests, where it is known; they are numbered as in `shapes.MEASURES`. Sizes go into the same
-- buckets as durations, zeros into one of their own. Waiting is what is not CPU.
select toInt8(number - 1) as measure, toInt16(if(value = 0, -1, @bucket_of_value)) as bucket, toInt64(count()) as n,
       sum(toFloat64(value)) as us
from (
    select number, value from (
        select duration_us, first_byte_us, cpu_us, if(cpu_us < 0, -1, greatest(0, duration_us - cpu_us)) as waiting_us,
               queue_us, request_bytes, response_bytes
        from request as c where c.start_us >= $start_us and c.start_us < $end_us and @rest and @settled and @conditions
    )
    array join [1, 2, 3, 4, 5, 6, 7] as number,
               [duration_us, first_byte_us, cpu_us, waiting_us, queue_us, request_bytes, response_bytes] as value
)
where value >= 0
group by measure, bucket
