-- Environments that a project's instances named; of very many those that were named last.
select environment from (
    select environment, max(seen) as newest from instance as i
    where i.project_id = $project_id and environment is not null
    group by environment order by newest desc limit 500
) order by environment
