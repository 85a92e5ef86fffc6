-- When each project's newest batch arrived.
select project_id, max(received_us) from receipt
where list_contains($projects::integer[], project_id) group by project_id
