-- What there is to copy of a table, by project and day: rows, and a sum.
select project_id, day_number(@time) as day, count(*), sum(@total) from (@rows) group by project_id, day
