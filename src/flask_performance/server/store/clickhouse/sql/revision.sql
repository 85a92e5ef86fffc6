-- How often something of a project changed.
select sum(changes) from revision where project_id = $project_id
