-- The processes heard in a window, those heard last first, with what they used. Their totals only grow, so what
-- happened in the window is the last total less the last one shortly before it, or less the first one in it.
select instance, host, pid, environment, release, client, python, flask, started_us, last_seen_us, served_us, requests,
       final, nullIf(at, 0) as at_us, span as span_us, cpu as cpu_us, busy as busy_us, sender as sender_us,
       memory as memory_bytes, peak as peak_bytes, most as concurrent, newest_threads as threads, beat as beat_us,
       cost as request_ns
from (
    select * from (
        select instance_id, max(received_us) as last_seen_us, nullIf(maxIf(received_us, stored > 0), 0) as served_us,
               sum(stored) as requests, max(final) as final
        from receipt as c
        where c.received_us >= $start_us and c.received_us < $end_us and c.attempt not in $garbage and @conditions
          and instance_id global in (select id from instance as i where i.project_id = $project_id and @named)
        group by instance_id
    ) as h any left join (
        select id as instance_id, wire_id as instance, host, pid, environment, release, client, python, flask, started_us,
               seen
        from instance as i where i.project_id = $project_id order by seen limit 1 by id
    ) as n using instance_id
    order by last_seen_us desc, seen desc limit $limit
) as l any left join (
    select instance_id, max(at_us) as at, at - if(countIf(@before) > 0, maxIf(at_us, @before), min(at_us)) as span,
           max(cpu_us) - if(countIf(cpu_us is not null and @before) > 0, maxIf(cpu_us, @before), min(cpu_us)) as cpu,
           max(busy_us) - if(countIf(busy_us is not null and @before) > 0, maxIf(busy_us, @before), min(busy_us)) as busy,
           max(sender_us) - if(countIf(sender_us is not null and @before) > 0, maxIf(sender_us, @before), min(sender_us)) as sender,
           argMax(memory_bytes, at_us) as memory, max(memory_bytes) as peak, max(concurrent) as most,
           argMax(threads, at_us) as newest_threads, argMax(beat_us, at_us) as beat, argMax(request_ns, at_us) as cost
    from process as c
    where c.project_id = $project_id and c.at_us >= $since_us and c.at_us < $end_us and c.attempt not in $garbage
    group by instance_id
) as u using instance_id
order by last_seen_us desc, seen desc
