-- The moment before which a share of @table began, all projects alike: about, so that it takes no memory.
select approx_quantile(start_us, $share::float) from @table where @condition
