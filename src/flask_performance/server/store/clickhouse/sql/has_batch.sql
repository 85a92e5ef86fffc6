-- Whether a batch of an instance is stored.
select 1 from receipt as c
where c.project_id = $project_id and c.instance_id = $instance_id and c.number = $number and c.attempt not in $garbage
limit 1
