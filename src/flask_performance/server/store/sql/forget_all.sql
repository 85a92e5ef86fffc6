-- Rows of all projects in @table that began before a moment.
delete from @table where start_us < $before_us and @condition
