-- The requests of a project that began in a window, with the columns of the page's CSV.
select c.id, @start as start, c.duration_us / 1000 as duration_ms, @text(o.method) as method, @text(o.route) as route,
       @text(coalesce(c.path, o.route)) as path, @text(o.endpoint) as endpoint, c.status,
       ['completed', 'disconnected', 'failed'][c.outcome + 1] as outcome, @text(c.exception) as exception,
       c.first_byte_us / 1000 as first_byte_ms, c.cpu_us / 1000 as cpu_ms, c.queue_us / 1000 as queue_ms,
       c.request_bytes, c.response_bytes, @text(c.consumer) as consumer, @text(c.trace_id) as trace_id,
       @text(i.wire_id) as instance, @text(i.host) as host, @text(i.environment) as environment, @text(i.release) as release
from request c
join operation o on o.id = c.operation_id
join instance i on i.id = c.instance_id
where c.project_id = $project_id and c.start_us >= $start_us and c.start_us < $end_us
