-- Rows of a project in @table whose step of @width microseconds ended before a moment.
delete from @table where project_id = $project_id and start_us <= $before_us - @width and @condition
