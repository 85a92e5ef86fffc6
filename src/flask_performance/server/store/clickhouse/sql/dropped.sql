-- What was not stored, by reason. A replayed dead letter takes its own back. Clients tell totals: what they dropped in the
-- window is the greatest total up to its end less the one up to its start.
select reason, sum(toDecimal128(dropped_, 0)) as sum_ from (
    select reason, maxIf(greatest(total, 0), c.received_us < $end_us) - maxIf(greatest(total, 0), c.received_us < $start_us)
                   + sumIf(requests, total < 0 and c.received_us >= $start_us and c.received_us < $end_us) as dropped_
    from dropped as c
    where $start_us < $end_us and c.attempt not in $garbage and @conditions
    group by reason, instance_id
)
group by reason having sum_ <> 0 order by reason
