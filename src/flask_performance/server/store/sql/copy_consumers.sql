-- The consumers with the most time.
select c.project_id, c.start_us, o.hashed as operation_id, c.environment, c.release, c.consumer, c.bucket, c.requests, c.errors,
       c.duration_us
from consumer_six c left join hashed_operation o on o.id = c.operation_id
where c.start_us >= $from_us and c.start_us < $to_us
