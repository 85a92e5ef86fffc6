-- The routes of a project.
select distinct id from route where project_id = $project_id
