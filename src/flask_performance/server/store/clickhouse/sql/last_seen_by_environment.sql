-- When each environment's newest batch arrived.
select environment, max(received_us) from receipt as c
where c.project_id = $project_id and c.attempt not in $garbage
group by environment order by environment is null, environment
