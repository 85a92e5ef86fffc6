-- Environments that a project's instances named; of very many those that were named last.
select environment from (
    select environment from instance
    where project_id = $project_id and environment is not null
    group by environment order by max(id) desc limit 500
) order by environment
