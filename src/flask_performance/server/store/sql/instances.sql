-- The processes heard in a window, those heard last first, with what they used. Their totals only grow, so what
-- happened in the window is the last total less the last one shortly before it, or less the first one in it.
with heard as (
    select c.instance_id, max(c.received_us) as last_seen_us, max(c.received_us) filter (where c.stored > 0) as served_us,
           sum(c.stored)::bigint as requests, bool_or(c.final) as final
    from receipt c join instance i on i.id = c.instance_id
    where c.received_us >= $start_us and c.received_us < $end_us and @conditions and @named
    group by c.instance_id order by last_seen_us desc, c.instance_id desc limit $limit
),
used as (
    select c.instance_id, max(at_us) as at_us,
           max(at_us) - coalesce(max(at_us) filter (where @before), min(first_us)) as span_us,
           max(cpu_us) - coalesce(max(cpu_us) filter (where @before), min(cpu_first_us)) as cpu_us,
           max(busy_us) - coalesce(max(busy_us) filter (where @before), min(busy_first_us)) as busy_us,
           max(sender_us) - coalesce(max(sender_us) filter (where @before), min(sender_first_us)) as sender_us,
           arg_max(memory_bytes, at_us) as memory_bytes, max(peak_bytes) as peak_bytes, max(concurrent) as concurrent,
           arg_max(threads, at_us) as threads, arg_max(beat_us, at_us) as beat_us,
           arg_max(request_ns, at_us) as request_ns
    from process c
    where c.project_id = $project_id and c.at_us >= $since_us and c.at_us < $end_us
      and c.instance_id in (select instance_id from heard)
    group by c.instance_id
)
select i.wire_id as instance, i.host, i.pid, i.environment, i.release, i.client, i.python, i.flask, i.started_us,
       h.last_seen_us, h.served_us, h.requests, h.final, u.at_us, u.span_us, u.cpu_us, u.busy_us, u.sender_us,
       u.memory_bytes, u.peak_bytes, u.concurrent, u.threads, u.beat_us, u.request_ns
from heard h join instance i on i.id = h.instance_id left join used u on u.instance_id = h.instance_id
order by h.last_seen_us desc, h.instance_id desc
