-- The event store's tables in ClickHouse. Times: UTC microseconds; durations: microseconds; sizes: bytes; -1: not known.
-- What is written in attempts: `attempt` is unique and ascends with time; who reads leaves out what was never committed.

-- Attempts at storing a block (a hash of its id) or at rolling up, from before anything else of it is written.
create table if not exists begun@local (
    attempt Int64, block Int64, day Date default today(), at DateTime default now()
) engine = @everywhere partition by day order by attempt;

-- How attempts ended. kind 0: a block is stored, whose requests began from `first_us` to `last_us`, and the attempts `covered`
-- do not count; 1: the rollups grew by the blocks `covered`, and their rows count up to the attempts `minutes` and `coarse`,
-- these made of minutes up to `upto`; 2: nothing of it counts, and nothing is left; 3: its block is attempted anew, and its
-- rows do not count (unless 0 stands beside it). Every block up to `low` is in the rollups.
create table if not exists commit@local (
    attempt Int64, kind Int8, day Date default today(), first_us Int64, last_us Int64, covered Array(Int64), minutes Int64,
    coarse Int64, upto Int64, low Int64
) engine = @everywhere partition by day order by attempt;

-- How often something of a project was stored or deleted.
create table if not exists revision@local (project_id Int32, changes Int64) engine = @everywhere.Summing(changes) order by project_id;

-- From when on a project's single requests are there.
create table if not exists raw_from@local (project_id Int32, from_us UInt64) engine = @everywhere.Replacing(from_us) order by project_id;

-- Days of tables that `copy-store` brought from an embedded store: the mark that each had there; empty: not here any more.
create table if not exists copied@local (part String, at_day Int64, mark String, rows Int64, version UInt64)
engine = @everywhere.Replacing(version) order by (part, at_day);

-- method + route of a project, once for every endpoint it had; the id is a hash of them. Of rows that several workers
-- wrote the oldest stays.
create table if not exists operation@local (
    project_id Int32, id Int64, method String, route String, endpoint Nullable(String), seen Int64, version UInt64
) engine = @everywhere.Replacing(version) order by (project_id, id);

-- When operations were called last, as far as the rollups know.
create table if not exists called@local (project_id Int32, operation_id Int64, last_us UInt64)
engine = @everywhere.Replacing(last_us) order by (project_id, operation_id);

-- One process of a monitored app; the id is a hash of its project and wire id.
create table if not exists instance@local (
    project_id Int32, id Int64, wire_id String, host Nullable(String), pid Nullable(Int64), environment Nullable(String),
    release Nullable(String), client Nullable(String), python Nullable(String), flask Nullable(String),
    started_us Nullable(Int64), first_us Int64, seen Int64, version UInt64
) engine = @everywhere.Replacing(version) order by (project_id, id);

-- Routes that apps declare: of each the first time (edge 0) and the last (edge 1) stay.
create table if not exists route@local (
    project_id Int32, id Int64, edge Int8, app String, environment Nullable(String), method String, rule String,
    endpoint Nullable(String), release Nullable(String), received_us Int64, version UInt64
) engine = @everywhere.Replacing(version) order by (project_id, id, edge);

-- Every request. The id is the attempt, and the place in it in the last 20 bits. `path` is null where it equals the route,
-- `day` is the day of storing: whoever chooses start times must not choose partitions.
create table if not exists request@local (
    project_id Int32, start_us Int64, id Int64, day Date, duration_us Int64, bucket Int16, operation_id Int64,
    instance_id Int64, environment Nullable(String), release Nullable(String), status Int16, outcome Int8,
    path Nullable(String), first_byte_us Int64 default -1, request_bytes Int64 default -1,
    response_bytes Int64 default -1, cpu_us Int64 default -1, queue_us Int64 default -1, exception Nullable(String),
    trace_id Nullable(String), consumer Nullable(String)
) engine = @sharded partition by day order by (project_id, start_us, id);

-- Batches received, with the client's own totals: what came in a window is a difference of totals, told when asked.
create table if not exists receipt@local (
    project_id Int32, instance_id Int64, received_us Int64, number Int64, sent_total Int64, stored Int64, refused Int64,
    waiting Int64, final Int8, environment Nullable(String), attempt Int64, day Date
) engine = @sharded partition by toYYYYMM(day) order by (project_id, instance_id, number);

-- Requests that were not stored, by reason: the client's `total`, or (-1) so many `requests` of the platform.
create table if not exists dropped@local (
    project_id Int32, instance_id Int64, received_us Int64, reason String, requests Int64, total Int64,
    environment Nullable(String), attempt Int64, day Date
) engine = @sharded partition by toYYYYMM(day) order by (project_id, instance_id, reason);

-- What processes say of themselves, a row a batch. Totals only grow.
create table if not exists process@local (
    project_id Int32, instance_id Int64, at_us Int64, cpu_us Nullable(Int64), busy_us Nullable(Int64),
    memory_bytes Nullable(Int64), concurrent Nullable(Int64), threads Nullable(Int64), beat_us Nullable(Int64),
    request_ns Nullable(Int64), sender_us Nullable(Int64), attempt Int64, day Date
) engine = @sharded partition by toYYYYMM(day) order by (project_id, instance_id, at_us);

-- How measures of requests spread, by six hours and operation; numbered as in `shapes.MEASURES`.
create table if not exists measure_six@local (
    project_id Int32, start_us Int64, operation_id Int64, environment Nullable(String), release Nullable(String),
    measure Int8, bucket Int16, requests Int64, duration_us Float64, roll Int64, day Date
) engine = @sharded partition by toYYYYMM(day) order by (project_id, operation_id, start_us, measure, bucket);

-- The consumers with the most time of every operation, environment and release, by six hours.
create table if not exists consumer_six@local (
    project_id Int32, start_us Int64, operation_id Int64, environment Nullable(String), release Nullable(String),
    consumer String, bucket Int16, requests Int64, errors Int64, duration_us Float64, roll Int64, day Date
) engine = @sharded partition by toYYYYMM(day) order by (project_id, operation_id, start_us, consumer, bucket);

-- The paths that were asked for in vain most often, by six hours. `consumer`: the one who asked last of those that are
-- named, at `named_us`; `several`: others asked as well.
create table if not exists unmatched_six@local (
    project_id Int32, start_us Int64, operation_id Int64, environment Nullable(String), release Nullable(String),
    status Int16, path Nullable(String), requests Int64, last_us Int64, consumer Nullable(String), named_us Int64,
    several UInt8, roll Int64, day Date
) engine = @sharded partition by toYYYYMM(day) order by (project_id, start_us, operation_id, status)
