-- Every measure of the window's requests by bucket.
select measure as "group", bucket, sum(n) as requests, toInt64(0) as errors, sum(us) as duration_us
from (@cells)
group by "group", bucket order by "group", bucket
