-- How many requests each step of @table that is wholly in a window has, the newest first.
select start_us, sum(requests)::bigint from @table c
where c.start_us >= $whole_from and c.start_us < $whole_to and @conditions
group by start_us order by start_us desc
