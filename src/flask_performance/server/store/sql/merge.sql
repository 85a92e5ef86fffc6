-- The partial rows of some steps of @table, put together, those of an operation beside each other.
create or replace temp table merged as
select project_id, start_us, @keys, @sums
from @table where start_us in (select unnest($steps::bigint[]))
group by project_id, start_us, @keys order by project_id, start_us, @keys;
delete from @table where start_us in (select unnest($steps::bigint[]));
insert into @table by name from merged;
drop table merged
