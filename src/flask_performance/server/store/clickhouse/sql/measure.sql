-- How measures of requests spread, by six hours and operation; numbered as in `shapes.MEASURES`.
create table if not exists measure_six@local (
    project_id Int32, start_us Int64, operation_id Int64, environment Nullable(String), release Nullable(String),
    measure Int8, bucket Int16, requests Int64, duration_us Float64, roll Int64, day Date
) engine = @sharded partition by toYYYYMM(day) order by (project_id, operation_id, start_us, measure, bucket)
