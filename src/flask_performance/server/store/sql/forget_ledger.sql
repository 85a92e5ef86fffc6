-- What a project's instances said that were not heard since a moment.
delete from @table where project_id = $project_id and instance_id in (
    select instance_id from receipt where project_id = $project_id
    group by instance_id having max(received_us) < $before_us
)
