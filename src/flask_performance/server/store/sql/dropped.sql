-- What was not stored, by reason.
select c.reason, sum(c.requests)
from dropped c
where c.received_us >= $start_us and c.received_us < $end_us and @conditions
group by c.reason order by c.reason
