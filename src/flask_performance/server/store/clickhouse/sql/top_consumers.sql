-- The consumers with the most total time.
select consumer from (
    select consumer, sum(toFloat64(c.duration_us)) as us from request as c
    where c.start_us >= $start_us and c.start_us < $end_us and consumer is not null and @settled and @conditions
    group by consumer
) order by us desc, consumer limit $limit
