-- When each method and route of a project was called last: what the rollups know, and what is not in them yet.
select method, route, toInt64(max(called_us)) from (
    select operation_id, last_us as called_us from called as c where c.project_id = $project_id
    union all
    select operation_id, toUInt64(greatest(start_us, 0)) as called_us from request as c
    where c.project_id = $project_id and c.day >= $fresh_day and bitShiftRight(c.id, 20) in $fresh
) as l any left join (
    select id as operation_id, method, route from operation as o where o.project_id = $project_id limit 1 by id
) as r using operation_id
group by method, route
