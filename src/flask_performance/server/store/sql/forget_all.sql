-- Rows of all projects in @table whose step of @width microseconds ended before a moment.
delete from @table where start_us <= $before_us - @width and @condition
