-- Whole steps of @table in a part of the window.
select project_id, start_us, @operation as operation_id, status, outcome, bucket, requests as n, duration_us as us
from @table as c
where c.start_us >= $from_@part and c.start_us < $to_@part and c.roll <= $@level and @conditions
