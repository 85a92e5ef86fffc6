-- Rows of a project in @table that began before a moment; single requests only once they are rolled up.
delete from @table where project_id = $project_id and start_us < $before_us and @condition
