-- What was copied of a table, by project and day: rows, and a sum.
select project_id, intDiv(@time - (@time % $day_us + $day_us) % $day_us, $day_us) as at_day, toInt64(count()),
       toInt64(sum(@total))
from @table where @copied group by project_id, at_day
