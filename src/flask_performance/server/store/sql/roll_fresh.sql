-- Requests up to an id that are not in the rollups yet, merged by minute: all rollups are made of them.
create or replace temp table fresh as
select r.project_id, r.start_us // 60000000 * 60000000 as start_us, r.operation_id, i.environment, i.release, r.status,
       r.outcome, @bucket as bucket, count(*) as requests, sum(r.duration_us)::double as duration_us
from (select * from request where id > $rolled and id <= $upto) r join instance i on i.id = r.instance_id
group by 1, 2, 3, 4, 5, 6, 7, 8
