-- The days that @table has rows of: how many, and a mark that changes with any of them.
select day_number(c.@time) as day, count(*) as rows, bit_xor(hash(c)) as mark from @table c group by day order by day
