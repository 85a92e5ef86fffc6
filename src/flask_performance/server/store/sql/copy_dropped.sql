-- Requests that were not stored. A client's totals, and of what they do not account for: the platform's own counts.
with told as (
    select c.* exclude (instance_id), i.hashed as instance_id, i.environment,
           greatest(0, c.total - coalesce(max(c.total) over (
               partition by c.instance_id, c.reason order by c.received_us, c.total
               rows between unbounded preceding and 1 preceding
           ), 0)) as grown
    from dropped c left join hashed_instance i on i.id = c.instance_id
),
rows as (
    select project_id, instance_id, received_us, reason, 0 as requests, total, environment from told where total is not null
    union all
    select project_id, instance_id, received_us, reason, requests - coalesce(grown, 0), -1, environment from told
    where requests <> coalesce(grown, 0)
)
from rows where received_us >= $from_us and received_us < $to_us
