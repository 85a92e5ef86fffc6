-- The paths that single requests asked for in vain, exactly, of those that a sketch, or the details, found frequent.
select operation_id, path, status, toInt64(count()) as n, max(start_us) as last, argMax(consumer, start_us) as who,
       maxIf(start_us, consumer is not null) as named, ifNull(uniqExact(consumer) > 1, 0) as others
from request as c
where c.start_us >= $start_us and c.start_us < $end_us and @vain and @rest and @settled and @conditions
  and (@key in $frequent or @key global in (@known))
group by operation_id, path, status
