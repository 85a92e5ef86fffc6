-- Requests of the window: of every group by latency bucket (kind -1), and by kind.
select @group as "group", bucket, toInt64(-1) as kind, sum(n) as requests, sum(us) as duration_us
from (@cells) group by "group", bucket
union all
select @group as "group", toInt16(0) as no_bucket, toInt64(@kind) as kind, sum(n) as requests, toFloat64(0) as duration_us
from (@cells) group by "group", kind
