-- The paths that most requests asked for in vain. Strangers choose paths: a sketch of a few thousand
-- counters (space saving) picks the frequent ones, a second look counts those exactly. The details did
-- the same for what they have. Texts are put together only of those that are shown.
with asked as not materialized (select *, hash(operation_id, status, path) as key from (@singles)),
merged as (@details),
frequent as (
    select unnest(approx_top_k(key, 1000)) as key from asked
    union select hash(operation_id, status, path) from merged
),
cells as (
    select operation_id, status, path, count(*) as requests, max(start_us) as last_us,
           arg_max(consumer, start_us) as consumer, max(start_us) filter (consumer is not null) as named_us,
           min(consumer) is distinct from max(consumer) as several
    from asked where key in (select key from frequent) group by all
    union all from merged
),
totals as (
    select hash(operation_id, status, path) as key, sum(requests) as requests from cells group by key
),
most as (
    select key from totals
    where requests >= (select min(requests) from (from totals order by requests desc limit $limit))
)
select o.method, coalesce(c.path, o.route) as path, c.status, sum(c.requests)::bigint as requests, max(c.last_us) as last_us,
       arg_max(c.consumer, c.named_us) as consumer,
       bool_or(c.several) or min(c.consumer) is distinct from max(c.consumer) as several
from cells c join operation o on o.id = c.operation_id
where hash(c.operation_id, c.status, c.path) in (select key from most)
group by all
order by requests desc, last_us desc, path, o.method, c.status
limit $limit
