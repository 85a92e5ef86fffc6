-- When operations were called last, by requests of stored blocks.
insert into called (project_id, operation_id, last_us)
select project_id, operation_id, toUInt64(max(greatest(start_us, 0))) from request as c
where c.day >= $fresh_day and bitShiftRight(c.id, 20) in $fresh group by project_id, operation_id
