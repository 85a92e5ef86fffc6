-- What the details of whole steps know to be asked for in vain.
select @key from unmatched_six as c
where c.start_us >= $whole_from and c.start_us < $whole_to and c.roll <= $coarse and @details
