-- The paths that most requests asked for in vain.
select operation_id, path, toInt64(status), sum(n) as requests, max(last) as last_, argMax(who, named),
       max(others) > 0 or ifNull(uniqExact(who) > 1, 0)
from (@cells) group by operation_id, path, status
order by requests desc, last_ desc, path, operation_id, status limit $limit
