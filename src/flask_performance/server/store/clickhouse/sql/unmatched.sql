-- The paths that most requests asked for in vain, exactly, of those that a sketch found frequent.
select operation_id, path, toInt64(status), toInt64(count()) as requests, max(start_us) as last, argMax(consumer, start_us),
       countIf(consumer is null) > 0 and countIf(consumer is not null) > 0 or uniqExact(consumer) > 1 as several
from request as c
where c.start_us >= $start_us and c.start_us < $end_us and @vain and @key in $frequent and @settled and @conditions
group by operation_id, path, status order by requests desc, last desc, path, operation_id, status
