-- Per project: stored, waiting and lost requests, and silent instances. Loss is counted instance by
-- instance, so that a late arrival of one cannot hide the loss of another. What waited in an instance
-- when it last spoke is waiting while it lives, and lost when it is gone (it said so, or is silent). Who
-- spoke again after the window was not silent, only idle. The 2019 client has no numbers and no goodbye.
with later as (
    select distinct c.instance_id from receipt c where c.received_us >= $end_us and @conditions
),
instances as (
    select c.project_id, sum(c.stored) as stored, greatest(0, sum(c.sent) - sum(c.stored) - sum(c.refused)) as missing,
           arg_max(c.waiting, coalesce(c.last, 0)) as waiting,
           bool_or(c.final) as final,
           max(c.received_us) < $alive_since_us and c.instance_id not in (select instance_id from later) as quiet,
           max(c.last) is not null as numbered
    from receipt c
    where c.received_us >= $start_us and c.received_us < $end_us and @conditions
    group by c.project_id, c.instance_id
)
select project_id, sum(stored), sum(if(final or quiet, 0, waiting)), sum(missing + if(final or quiet, waiting, 0)),
       count(*) filter (where quiet and numbered and not final)
from instances group by project_id
