-- What is stored of some instances: runs of batch numbers, the greatest total, when last heard.
select i.project_id, i.wire_id, min(r.first), max(r.last), max(r.sent_total), max(r.received_us)
from (
    select *, last - sum(last - first + 1) over (partition by instance_id order by first) as run
    from receipt where first is not null and instance_id in (select unnest($instances::integer[]))
) r
join instance i on i.id = r.instance_id
group by i.project_id, i.wire_id, r.run
