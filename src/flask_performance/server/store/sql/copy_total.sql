-- Requests of all operations together, merged by steps.
select c.project_id, c.start_us, c.environment, c.release, c.status, c.outcome, c.bucket, c.requests, c.duration_us
from @table c where c.start_us >= $from_us and c.start_us < $to_us
