-- The partial rows of some steps of @table, summed.
create or replace temp table merged as
select project_id, start_us, operation_id, environment, release, status, outcome, bucket,
       sum(requests) as requests, sum(duration_us) as duration_us
from @table where start_us in (select unnest($steps::bigint[]))
group by all;
delete from @table where start_us in (select unnest($steps::bigint[]));
insert into @table from merged;
drop table merged
