-- Single requests of a part of the window.
select @columns from request c
where c.start_us >= $from_@part and c.start_us < $to_@part and @conditions
