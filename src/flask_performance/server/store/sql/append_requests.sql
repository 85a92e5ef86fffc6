-- append_requests
-- A block's requests: the columns that it has.
insert into request by name select @columns from block
