-- The paths that were asked for in vain most often.
select c.project_id, c.start_us, o.hashed as operation_id, c.environment, c.release, c.status, c.path, c.requests, c.last_us,
       c.consumer, coalesce(c.named_us, 0) as named_us, c.several::utinyint as several
from unmatched_six c left join hashed_operation o on o.id = c.operation_id
where c.start_us >= $from_us and c.start_us < $to_us
