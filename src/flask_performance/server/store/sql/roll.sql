-- Requests up to an id that are not in the rollups yet, merged by @width microseconds into @table.
insert into @table
select r.project_id, r.start_us // @width * @width, r.operation_id, i.environment, i.release, r.status, r.outcome,
       @bucket as bucket, count(*), sum(r.duration_us)::double
from (select * from request where id > $rolled and id <= $upto) r join instance i on i.id = r.instance_id
group by 1, 2, 3, 4, 5, 6, 7, 8
