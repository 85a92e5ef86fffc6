-- When each project's newest batch arrived.
select project_id, max(received_us) from receipt as c
where has($projects, project_id) and c.attempt not in $garbage group by project_id
