-- Requests merged by @width microseconds, a row a latency bucket, for every attempt (`roll`) that merged some: a reader sums.
create table if not exists @table@local (
    project_id Int32, start_us Int64, @operation environment Nullable(String), release Nullable(String),
    status Int16, outcome Int8, bucket Int16, requests Int64, duration_us Float64, roll Int64, day Date
) engine = @sharded partition by @partition order by (project_id, start_us, @key status, bucket)
