-- The drops of some minutes, one row an instance and reason.
create or replace temp table merged as
select project_id, instance_id, max(received_us) as received_us, reason, sum(requests) as requests, max(total) as total
from dropped where received_us // @width * @width in (select unnest($steps::bigint[]))
group by project_id, instance_id, received_us // @width, reason;
delete from dropped where received_us // @width * @width in (select unnest($steps::bigint[]));
insert into dropped from merged;
drop table merged
