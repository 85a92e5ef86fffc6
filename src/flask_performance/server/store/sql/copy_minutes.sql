-- How many rows of @table each minute of a time has.
select c.@time // 60000000 as minute, count(*) as rows from @table c
where c.@time >= $from_us and c.@time < $to_us group by minute order by minute
