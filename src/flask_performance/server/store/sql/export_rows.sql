-- Requests that were read page by page, with the columns of the page's CSV.
select c.id, @start as start, c.duration_us / 1000 as duration_ms, @text(c.method) as method, @text(c.route) as route,
       @text(c.path) as path, @text(c.endpoint) as endpoint, c.status, c.outcome, @text(c.exception) as exception,
       c.first_byte_us / 1000 as first_byte_ms, c.cpu_us / 1000 as cpu_ms, c.queue_us / 1000 as queue_ms,
       c.request_bytes, c.response_bytes, @text(c.consumer) as consumer, @text(c.trace_id) as trace_id,
       @text(c.instance) as instance, @text(c.host) as host, @text(c.environment) as environment, @text(c.release) as release
from exported c
