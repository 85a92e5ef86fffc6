-- What some instances are called.
select id, wire_id, host from instance as i where i.project_id = $project_id and id in $ids limit 1 by id
