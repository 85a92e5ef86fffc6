-- Every measure of some requests, where it is known; they are numbered as in `shapes.MEASURES`. Waiting is what is not CPU.
select @keys 0 as measure, duration_us from @table
union all select @keys 1, first_byte_us from @table where first_byte_us is not null
union all select @keys 2, cpu_us from @table where cpu_us is not null
union all select @keys 3, greatest(0, duration_us - cpu_us) from @table where cpu_us is not null
union all select @keys 4, queue_us from @table where queue_us is not null
union all select @keys 5, request_bytes from @table where request_bytes is not null
union all select @keys 6, response_bytes from @table where response_bytes is not null
