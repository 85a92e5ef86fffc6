-- Single requests, newest first, from a cursor on.
select c.id, c.start_us, c.duration_us, c.operation_id, c.instance_id, c.path, c.status, c.outcome, c.first_byte_us,
       c.request_bytes, c.response_bytes, c.cpu_us, c.queue_us, c.exception, c.trace_id, c.consumer
from (@found) c
order by c.start_us desc, c.id desc limit $limit
