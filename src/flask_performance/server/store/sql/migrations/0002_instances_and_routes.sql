-- From schema 1: the routes that apps declare, what processes say of themselves, when an operation was called last.
alter table operation add column last_us bigint;

update operation set last_us = (
    select max(start_us) from (
        select start_us from rollup_hour where operation_id = operation.id
        union all select start_us from rollup_minute where operation_id = operation.id
        union all select start_us from request
        where operation_id = operation.id and id <= (select value from meta where name = 'rolled')
    )
);

create table route (
    project_id integer not null, app varchar not null, environment varchar, method varchar not null,
    rule varchar not null, endpoint varchar, release varchar, first_us bigint not null, last_us bigint not null
);

create table process (
    project_id integer not null, instance_id integer not null, first_us bigint not null, at_us bigint not null,
    cpu_first_us bigint, cpu_us bigint, busy_first_us bigint, busy_us bigint, memory_bytes bigint, peak_bytes bigint,
    concurrent bigint, threads bigint, beat_us bigint, request_ns bigint, sender_first_us bigint, sender_us bigint
);
