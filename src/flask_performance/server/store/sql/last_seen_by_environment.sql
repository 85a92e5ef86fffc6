-- When each environment's newest batch arrived.
select i.environment, max(r.received_us)
from receipt r join instance i on i.id = r.instance_id
where r.project_id = $project_id group by i.environment order by i.environment nulls last
