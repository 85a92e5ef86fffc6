-- The consumers of single requests.
select assumeNotNull(c.consumer) as name, bucket, toInt64(count()) as n,
       toInt64(countIf(status >= 500 or outcome = 2)) as failed, sum(toFloat64(c.duration_us)) as us
from request as c
where c.start_us >= $start_us and c.start_us < $end_us and c.consumer is not null and @rest and @settled and @conditions
group by c.consumer, bucket
