-- From schema 2: rollups of six hours, and rollups of all operations together, made of those that are there.
create table rollup_six as
select project_id, start_us // 21600000000 * 21600000000 as start_us, operation_id, environment, release, status,
       outcome, bucket, sum(requests)::bigint as requests, sum(duration_us) as duration_us
from rollup_hour group by all order by 1, 2, 3;

create table total_ten as
select project_id, start_us // 600000000 * 600000000 as start_us, environment, release, status, outcome, bucket,
       sum(requests)::bigint as requests, sum(duration_us) as duration_us
from rollup_minute group by all order by 1, 2;

create table total_hour as
select project_id, start_us, environment, release, status, outcome, bucket,
       sum(requests)::bigint as requests, sum(duration_us) as duration_us
from rollup_hour group by all order by 1, 2;

create table total_six as
select project_id, start_us // 21600000000 * 21600000000 as start_us, environment, release, status, outcome, bucket,
       sum(requests)::bigint as requests, sum(duration_us) as duration_us
from total_hour group by all order by 1, 2;
