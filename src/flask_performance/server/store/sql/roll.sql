-- What is fresh, merged by @width microseconds into @table.
insert into @table
select project_id, start_us // @width * @width, @keys, status, outcome, bucket, sum(requests), sum(duration_us)
from fresh group by all
