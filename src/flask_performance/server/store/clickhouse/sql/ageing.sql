-- The days of storing of @table up to one, and when the newest of each project's requests of it began.
select toInt64(toUInt16(day)), project_id, max(start_us) from @table
where day <= toDate($upto_day) group by day, project_id
