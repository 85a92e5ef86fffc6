-- The routes of a project that were not declared since a moment.
select id from route where project_id = $project_id group by id having max(received_us) < $before_us
