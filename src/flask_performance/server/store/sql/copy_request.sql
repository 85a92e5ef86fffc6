-- Single requests.
select c.project_id, c.start_us, c.id, c.duration_us, @bucket as bucket, o.hashed as operation_id, i.hashed as instance_id,
       i.environment, i.release, c.status, c.outcome, c.path, coalesce(c.first_byte_us, -1) as first_byte_us,
       coalesce(c.request_bytes, -1) as request_bytes, coalesce(c.response_bytes, -1) as response_bytes,
       coalesce(c.cpu_us, -1) as cpu_us, coalesce(c.queue_us, -1) as queue_us, c.exception, c.trace_id, c.consumer
from request c left join hashed_operation o on o.id = c.operation_id left join hashed_instance i on i.id = c.instance_id
where c.start_us >= $from_us and c.start_us < $to_us
