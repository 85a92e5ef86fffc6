-- When each project's newest batch arrived.
select project_id, max(received_us) from receipt group by project_id
