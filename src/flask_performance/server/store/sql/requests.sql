-- Single requests, newest first, from a cursor on.
select c.id, c.start_us, c.duration_us, o.method, o.route, o.endpoint, coalesce(c.path, o.route) as path, c.status,
       c.outcome, c.first_byte_us, c.request_bytes, c.response_bytes, c.cpu_us, c.queue_us, c.exception, c.trace_id,
       c.consumer, i.wire_id as instance, i.host, i.environment, i.release
from (@found order by start_us desc, id desc limit $limit) c
join operation o on o.id = c.operation_id
join instance i on i.id = c.instance_id
order by c.start_us desc, c.id desc
