-- One request of a project.
select c.id, c.start_us, c.duration_us, c.operation_id, c.instance_id, c.path, c.status, c.outcome, c.first_byte_us,
       c.request_bytes, c.response_bytes, c.cpu_us, c.queue_us, c.exception, c.trace_id, c.consumer
from request c
where c.id = $id and c.project_id = $project_id
