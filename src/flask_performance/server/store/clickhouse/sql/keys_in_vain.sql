-- What single requests asked for in vain.
select @key as which from request as c
where c.start_us >= $start_us and c.start_us < $end_us and @vain and @rest and @settled and @conditions
