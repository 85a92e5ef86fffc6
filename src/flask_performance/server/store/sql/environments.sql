-- All environments that a project's instances named.
select distinct environment from instance
where project_id = $project_id and environment is not null order by environment
