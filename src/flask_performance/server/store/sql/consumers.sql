-- The consumers with the most total time, each with its histogram.
with found as (
    select c.consumer, c.status, c.outcome, c.duration_us from request c
    where c.start_us >= $start_us and c.start_us < $end_us and c.consumer is not null and @conditions
),
ranked as (
    select consumer, row_number() over (order by sum(duration_us) desc, consumer) as place
    from found group by consumer
)
select place as "group", @bucket as bucket, any_value(consumer) as consumer, count(*)::bigint as requests,
       count(*) filter (where status >= 500 or outcome = 2)::bigint as errors, sum(duration_us)::double as duration_us
from found join ranked using (consumer)
where place <= $limit
group by "group", bucket order by "group", bucket
