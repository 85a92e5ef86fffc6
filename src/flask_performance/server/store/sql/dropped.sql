-- What was not stored, by reason. A replayed dead letter takes its own back.
select c.reason, sum(c.requests)
from dropped c
where c.received_us >= $start_us and c.received_us < $end_us and @conditions
group by c.reason having sum(c.requests) <> 0 order by c.reason
