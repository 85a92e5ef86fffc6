-- How the measures of what is fresh spread.
insert into measure_six
select project_id, step_us, operation_id, environment, release, measure, if(duration_us = 0, -1, @bucket) as bucket,
       count(*)
from (@measured)
group by 1, 2, 3, 4, 5, 6, 7
