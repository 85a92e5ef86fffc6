-- Minutes that are not in @table yet, merged by @width microseconds.
insert into @table (project_id, start_us, @keys, status, outcome, bucket, requests, duration_us, roll, day)
select project_id, intDiv(start_us, @width) * @width as step, @keys, status, outcome, bucket, sum(c.requests),
       sum(c.duration_us), toInt64($roll), toDate($day)
from rollup_minute as c where c.day >= $late_day and c.roll > $upto and c.roll <= $minutes
group by project_id, step, @keys, status, outcome, bucket
