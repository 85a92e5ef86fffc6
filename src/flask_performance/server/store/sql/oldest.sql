-- The moment before which a share of a project's rows in @table began: about, so that it takes no memory.
select approx_quantile(start_us, $share::float) from @table where project_id = $project_id and @condition
