-- Note the steps of @table that what is in @fresh lies in, for `maintain` to merge.
insert into unmerged
select distinct '@table', start_us // @width * @width from @fresh
except select "table", step_us from unmerged
