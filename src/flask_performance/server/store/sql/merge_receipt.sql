-- The receipts of some minutes, one row for every unbroken run of an instance's batch numbers in a
-- minute. Runs are found within the minute: batch 2 may have come a minute after 1 and 3, and a row
-- that says "1 to 3" would count it twice.
create or replace temp table merged as
select project_id, instance_id, max(received_us) as received_us, min(first) as first, max(last) as last,
       sum(sent) as sent, max(sent_total) as sent_total, sum(stored) as stored,
       sum(refused) as refused, arg_max(waiting, coalesce(last, 0)) as waiting, bool_or(final) as final
from (
    select *, received_us // @width as minute,
           last - sum(coalesce(last - first + 1, 0))
                  over (partition by instance_id, received_us // @width order by first) as run
    from receipt where received_us // @width * @width in (select unnest($steps::bigint[]))
)
group by project_id, instance_id, minute, run;
delete from receipt where received_us // @width * @width in (select unnest($steps::bigint[]));
insert into receipt from merged;
drop table merged
