-- Note the steps of @table that some requests lie in, for `maintain` to merge.
insert into unmerged
select distinct '@table', start_us // @width * @width from request where id > $rolled and id <= $upto
except select "table", step_us from unmerged
