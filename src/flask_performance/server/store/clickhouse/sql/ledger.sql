-- Per project: stored, waiting and lost requests, and silent instances. Loss is counted instance by
-- instance, so that a late arrival of one cannot hide the loss of another. What waited in an instance
-- when it last spoke is waiting while it lives, and lost when it is gone (it said so, or is silent). Who
-- spoke again after the window was not silent, only idle. The 2019 client has no numbers and no goodbye.
select project_id, sum(toDecimal128(stored_, 0)), sum(toDecimal128(if(gone, 0, waiting_), 0)),
       sum(toDecimal128(missing, 0) + toDecimal128(if(gone, waiting_, 0), 0)),
       toInt64(sum(quiet and numbered and not final_))
from (
    select project_id, stored_, waiting_, numbered, final_, quiet, final_ or quiet as gone,
           greatest(0, sent - stored_ - refused_) as missing
    from (
        select project_id, sumIf(stored, inside) as stored_, sumIf(refused, inside) as refused_,
               argMaxIf(waiting, greatest(number, 0), inside) as waiting_, maxIf(final, inside) as final_,
               maxIf(number, inside) > 0 as numbered,
               maxIf(greatest(sent_total, 0), received_us < $end_us) - maxIf(greatest(sent_total, 0), received_us < $start_us)
               + sumIf(stored + refused, inside and sent_total < 0) as sent,
               maxIf(received_us, inside) < $alive_since_us and max(received_us) < $end_us as quiet,
               countIf(inside) as batches
        from (
            select project_id, instance_id, received_us, number, sent_total, stored, refused, waiting, final,
                   received_us >= $start_us and received_us < $end_us as inside
            from receipt as c where c.attempt not in $garbage and @conditions
        )
        group by project_id, instance_id having batches > 0
    )
)
group by project_id
