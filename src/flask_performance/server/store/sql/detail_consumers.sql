-- The consumers of what is fresh, those with the most time of an operation, each with its histogram.
insert into consumer_six
with cells as (
    select project_id, step_us, operation_id, environment, release, consumer, @bucket as bucket, count(*) as requests,
           count(*) filter (where status >= 500 or outcome = 2) as errors, sum(duration_us)::double as duration_us
    from detailing where consumer is not null group by 1, 2, 3, 4, 5, 6, 7
),
totals as (
    select *, sum(duration_us) over (
        partition by project_id, step_us, operation_id, environment, release, consumer
    ) as total from cells
)
select * exclude (total) from totals
qualify dense_rank() over (
    partition by project_id, step_us, operation_id, environment, release order by total desc, consumer
) <= @most
