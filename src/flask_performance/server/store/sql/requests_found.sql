-- Requests of the window up to a cursor.
(
    select * from request c
    where c.start_us >= $start_us and c.start_us < $end_us
      and (c.start_us < $cursor_start_us or (c.start_us = $cursor_start_us and c.id < $cursor_id))
      and @conditions
    order by c.start_us desc, c.id desc
    limit $limit
)
