-- The consumers with the most total time, each with its histogram.
with found as (@singles),
cells as (
    select consumer, @bucket as bucket, 1 as requests, if(status >= 500 or outcome = 2, 1, 0) as errors, duration_us
    from found where consumer is not null
    union all @details
),
merged as (
    select consumer, bucket, sum(requests)::bigint as requests, sum(errors)::bigint as errors,
           sum(duration_us)::double as duration_us
    from cells group by consumer, bucket
),
totals as (select *, sum(duration_us) over (partition by consumer) as total from merged)
select dense_rank() over (order by total desc, consumer) as "group", * exclude (total) from totals
qualify "group" <= $limit
order by "group", bucket
