-- The partial rows of some steps of @table, summed, those of an operation beside each other.
create or replace temp table merged as
select project_id, start_us, @keys, status, outcome, bucket,
       sum(requests) as requests, sum(duration_us) as duration_us
from @table where start_us in (select unnest($steps::bigint[]))
group by all order by project_id, start_us, @keys;
delete from @table where start_us in (select unnest($steps::bigint[]));
insert into @table from merged;
drop table merged
