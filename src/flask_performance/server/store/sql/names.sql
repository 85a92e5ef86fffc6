-- What some rows of @table are called, by id.
select id, @columns from @table where list_contains($ids::integer[], id)
