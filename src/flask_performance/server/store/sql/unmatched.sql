-- The paths that most requests asked for in vain. Strangers choose paths: a sketch of a few thousand
-- counters (space saving) picks the frequent ones, a second look counts those exactly.
with asked as not materialized (
    select c.*, hash(c.operation_id, c.status, c.path) as key
    from request c
    where c.start_us >= $start_us and c.start_us < $end_us and @conditions
      and (c.status in (308, 405) or (c.status >= 300 and list_contains($nowhere::integer[], c.operation_id)))
),
frequent as (select unnest(approx_top_k(key, 1000)) as key from asked)
select o.method, coalesce(a.path, o.route) as path, a.status, count(*) as requests, max(a.start_us) as last_us,
       arg_max(a.consumer, a.start_us) as consumer, min(a.consumer) is distinct from max(a.consumer) as several
from asked a join operation o on o.id = a.operation_id
where a.key in (select key from frequent)
group by all
order by requests desc, last_us desc, path, o.method, a.status
limit $limit
