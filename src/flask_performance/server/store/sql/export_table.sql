-- What is read page by page before it becomes a file: a column a field of `RequestRow`.
create table exported (
    id bigint, start_us bigint, duration_us bigint, method varchar, route varchar, endpoint varchar, path varchar,
    status smallint, outcome varchar, first_byte_us bigint, request_bytes bigint, response_bytes bigint, cpu_us bigint,
    queue_us bigint, exception varchar, trace_id varchar, consumer varchar, instance varchar, host varchar,
    environment varchar, release varchar
)
