-- Where single requests lie, newest first, from a cursor on: a look at few columns.
select start_us, id from request as c
where @hours and c.start_us >= $start_us and c.start_us < $end_us
  and (c.start_us < $cursor_start_us or (c.start_us = $cursor_start_us and c.id < $cursor_id)) and @settled and @conditions
order by start_us desc, id desc limit $limit
