-- What processes said in some minutes, one row an instance and minute.
create or replace temp table merged as
select project_id, instance_id, min(first_us) as first_us, max(at_us) as at_us, min(cpu_first_us) as cpu_first_us,
       max(cpu_us) as cpu_us, min(busy_first_us) as busy_first_us, max(busy_us) as busy_us,
       arg_max(memory_bytes, at_us) as memory_bytes, max(peak_bytes) as peak_bytes, max(concurrent) as concurrent,
       arg_max(threads, at_us) as threads, arg_max(beat_us, at_us) as beat_us, arg_max(request_ns, at_us) as request_ns,
       min(sender_first_us) as sender_first_us, max(sender_us) as sender_us
from process where at_us // @width * @width in (select unnest($steps::bigint[]))
group by project_id, instance_id, process.at_us // @width;
delete from process where at_us // @width * @width in (select unnest($steps::bigint[]));
insert into process from merged;
drop table merged
