-- The consumers with the most total time, each with its histogram.
select name as consumer, place as bucket, n as requests, failed as errors, us as duration_us
from (
    select name, groupArray(bucket) as places, groupArray(n_) as ns, groupArray(failed_) as faults,
           groupArray(us_) as sums, sum(us_) as total
    from (select name, bucket, sum(n) as n_, sum(failed) as failed_, sum(us) as us_ from (@cells) group by name, bucket)
    group by name order by total desc, name limit $limit
)
array join places as place, ns as n, faults as failed, sums as us
order by total desc, name, place
