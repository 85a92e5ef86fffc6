-- When each method and route of a project was called last: what the rollups know, and what is not in them yet.
select method, route, max(start_us)
from (
    select method, route, last_us as start_us from operation where project_id = $project_id and last_us is not null
    union all
    select o.method, o.route, max(c.start_us)
    from request c join operation o on o.id = c.operation_id
    where c.id > $rolled and c.project_id = $project_id group by o.id, o.method, o.route
)
group by method, route
