-- The consumers with the most total time, each with its histogram.
select transform(consumer, $names, $places, toInt64(-1)) as "group", bucket, any(consumer) as consumer_, toInt64(count()) as requests,
       toInt64(countIf(status >= 500 or outcome = 2)) as errors, sum(toFloat64(c.duration_us)) as duration_us
from request as c
where c.start_us >= $start_us and c.start_us < $end_us and consumer in $named and @settled and @conditions
group by "group", bucket order by "group", bucket
