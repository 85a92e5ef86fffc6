-- Single requests that are not in the rollups yet.
select project_id, start_us, operation_id, status, outcome, @bucket as bucket, 1 as requests, duration_us
from request c
where c.id > $rolled and c.start_us >= $rollups_from and c.start_us < $rollups_to and @conditions
