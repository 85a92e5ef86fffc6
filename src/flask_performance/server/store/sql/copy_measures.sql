-- How measures spread.
select c.project_id, c.start_us, o.hashed as operation_id, c.environment, c.release, c.measure, c.bucket, c.requests,
       if(c.bucket < 0, 0, c.requests * @middle) as duration_us
from measure_six c left join hashed_operation o on o.id = c.operation_id
where c.start_us >= $from_us and c.start_us < $to_us
