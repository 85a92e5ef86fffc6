-- The instances of a project that were not heard since a moment.
select instance_id from receipt where project_id = $project_id group by instance_id having max(received_us) < $before_us
