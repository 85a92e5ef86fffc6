-- Whether a project has rows in @table from before a moment that may be deleted.
select exists (from @table where project_id = $project_id and @time < $before_us and @condition)
