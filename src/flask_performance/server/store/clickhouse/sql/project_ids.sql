-- Every project that has rows: each has instances.
select distinct project_id from instance where project_id > 0
