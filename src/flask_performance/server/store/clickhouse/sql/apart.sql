-- Of operations that have a threshold of their own: how they are judged by it, and would be by the project's.
select @group as "group", toInt64(@own) as own, toInt64(@usual) as usual, sum(n) as requests
from (@cells) where has($own_operations, operation_id) group by "group", own, usual
