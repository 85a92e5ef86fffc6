-- From schema 4: rollups of days by operation, and those of what single requests know beside their duration.
-- `maintain` fills the latter, a part at a time.
create table rollup_day as
select project_id, start_us // 86400000000 * 86400000000 as start_us, operation_id, environment, release, status,
       outcome, bucket, sum(requests)::bigint as requests, sum(duration_us) as duration_us
from rollup_six group by all order by 1, 2, 3;

create table measure_six (
    project_id integer, start_us bigint, operation_id integer, environment varchar, release varchar,
    measure tinyint, bucket smallint, requests bigint
);

create table consumer_six (
    project_id integer, start_us bigint, operation_id integer, environment varchar, release varchar,
    consumer varchar, bucket smallint, requests bigint, errors bigint, duration_us double
);

create table unmatched_six (
    project_id integer, start_us bigint, operation_id integer, environment varchar, release varchar, status smallint,
    path varchar, requests bigint, last_us bigint, consumer varchar, named_us bigint, several boolean
);

insert into meta values ('detailed', 0), ('settled', 0);
