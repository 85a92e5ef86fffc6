-- The clients' own drop totals of some instances.
select i.project_id, i.wire_id, d.reason, max(d.total)
from dropped d join instance i on i.id = d.instance_id
where d.total is not null and d.instance_id in (select unnest($instances::integer[]))
group by i.project_id, i.wire_id, d.reason
