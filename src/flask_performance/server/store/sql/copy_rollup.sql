-- Requests of every operation, merged by steps.
select c.project_id, c.start_us, o.hashed as operation_id, c.environment, c.release, c.status, c.outcome, c.bucket, c.requests,
       c.duration_us
from @table c left join hashed_operation o on o.id = c.operation_id
where c.start_us >= $from_us and c.start_us < $to_us
