-- The steps of @table that the slowest requests of a window lie in, and the bucket that the fastest of these is in.
-- Only steps that are wholly in the window are sure to have what they count.
with cells as (
    select start_us, bucket, sum(requests) as requests from @table c
    where c.start_us >= $from_us and c.start_us < $end_us and @conditions group by all
),
slower as (
    select bucket, sum(sum(requests)) over (order by bucket desc) as requests from cells
    where start_us >= $whole_from and start_us < $whole_to group by bucket
),
least as (select coalesce(max(bucket) filter (requests >= $limit), 0) as bucket from slower)
select distinct start_us, least.bucket from cells, least where cells.bucket >= least.bucket
