-- The event store's tables in DuckDB. Times: UTC microseconds; durations: microseconds; sizes: bytes.

-- Facts about this file: `schema` (its version), `position` (up to where the queue is stored), `rolled` (the
-- newest request that is in the rollups), `detailed` (the same of the details) and `settled` (of those that are
-- written anew, sorted by operation).
create table if not exists meta (name varchar primary key, value bigint not null);

-- method + route of a project, once for every endpoint it had. `last_us`: the newest start of its requests
-- that are in the rollups.
create table if not exists operation (
    id integer not null, project_id integer not null,
    method varchar not null, route varchar not null, endpoint varchar, last_us bigint
);

-- One process of a monitored app, once. `first_us`: when it was first heard, or began the oldest request it told of then.
create table if not exists instance (
    id integer not null, project_id integer not null, wire_id varchar not null,
    host varchar, pid bigint, environment varchar, release varchar,
    client varchar, python varchar, flask varchar, started_us bigint, first_us bigint
);

-- Every request. `path` is null where it equals the route.
create table if not exists request (
    id bigint not null, project_id integer not null, start_us bigint not null,
    duration_us bigint not null, operation_id integer not null, instance_id integer not null,
    status smallint not null, outcome tinyint not null, path varchar,
    first_byte_us bigint, request_bytes bigint, response_bytes bigint, cpu_us bigint, queue_us bigint,
    exception varchar, trace_id varchar, consumer varchar
);

-- Requests merged by minute: one row a latency bucket. `roll` appends partial rows; `maintain` merges
-- them, so a reader always sums. `duration_us` is a double because a sum of hostile durations fits no
-- integer; it is exact up to 2^53 microseconds, which are 285 years.
create table if not exists rollup_minute (
    project_id integer not null, start_us bigint not null, operation_id integer not null,
    environment varchar, release varchar, status smallint not null, outcome tinyint not null,
    bucket smallint not null, requests bigint not null, duration_us double not null
);

-- The same by hour.
create table if not exists rollup_hour as from rollup_minute limit 0;

-- The same by six hours.
create table if not exists rollup_six as from rollup_minute limit 0;

-- The same by day.
create table if not exists rollup_day as from rollup_minute limit 0;

-- All operations together by ten minutes: most questions ask for no operation, and have a tenth of the rows to read.
create table if not exists total_ten (
    project_id integer, start_us bigint, environment varchar, release varchar, status smallint, outcome tinyint,
    bucket smallint, requests bigint, duration_us double
);

-- The same by hour and by six hours.
create table if not exists total_hour as from total_ten limit 0;
create table if not exists total_six as from total_ten limit 0;

-- The details of six hours, which single requests know beside their duration. How each measure spreads, numbered as
-- in `shapes.MEASURES`; bucket -1 holds zeros. Nobody asks for their sum.
create table if not exists measure_six (
    project_id integer, start_us bigint, operation_id integer, environment varchar, release varchar,
    measure tinyint, bucket smallint, requests bigint
);

-- The consumers with the most time of every operation, environment and release: whoever has a DSN chooses their names.
create table if not exists consumer_six (
    project_id integer, start_us bigint, operation_id integer, environment varchar, release varchar,
    consumer varchar, bucket smallint, requests bigint, errors bigint, duration_us double
);

-- The paths that were asked for in vain most often in every environment, null where it equals the route. `consumer`:
-- the one who asked last of those that are named, at `named_us`; `several`: others asked as well.
create table if not exists unmatched_six (
    project_id integer, start_us bigint, operation_id integer, environment varchar, release varchar, status smallint,
    path varchar, requests bigint, last_us bigint, consumer varchar, named_us bigint, several boolean
);

-- Batches received (`first` to `last` of one instance): what the client says it sent, what we stored.
-- `refused`: what we dropped ourselves. `sent` counts since the instance's batch before, `sent_total` since the process started.
create table if not exists receipt (
    project_id integer not null, instance_id integer not null, received_us bigint not null,
    first bigint, last bigint, sent bigint not null, sent_total bigint, stored bigint not null,
    refused bigint not null, waiting bigint not null, final boolean not null
);

-- Requests that were not stored, by reason; `total` is the client's count since its process started.
create table if not exists dropped (
    project_id integer not null, instance_id integer not null, received_us bigint not null,
    reason varchar not null, requests bigint not null, total bigint
);

-- Where `maintain` has to merge: the steps of a table that may have more than one row a key.
create table if not exists unmerged ("table" varchar not null, step_us bigint not null);

-- Routes that apps declare, one row a method (empty: every one); `last_us`: when a process declared it last.
create table if not exists route (
    project_id integer not null, app varchar not null, environment varchar, method varchar not null,
    rule varchar not null, endpoint varchar, release varchar, first_us bigint not null, last_us bigint not null
);

-- What processes say of themselves: one row a batch, merged by minute (`first_us` to `at_us`). Totals only grow
-- while a process lives, so that rows merge by `min` and `max`, and a row that came twice changes nothing.
create table if not exists process (
    project_id integer not null, instance_id integer not null, first_us bigint not null, at_us bigint not null,
    cpu_first_us bigint, cpu_us bigint, busy_first_us bigint, busy_us bigint, memory_bytes bigint, peak_bytes bigint,
    concurrent bigint, threads bigint, beat_us bigint, request_ns bigint, sender_first_us bigint, sender_us bigint
);
