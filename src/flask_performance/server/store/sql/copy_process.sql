-- What processes said of themselves. A row that stands for a minute becomes two: how it began, and how it ended.
with told as (
    select c.*, i.hashed from process c left join hashed_instance i on i.id = c.instance_id
    where c.at_us >= $from_us and c.at_us < $to_us
)
select project_id, hashed as instance_id, at_us, cpu_us, busy_us, memory_bytes, concurrent, threads, beat_us, request_ns,
       sender_us
from told
union all
select project_id, hashed, first_us, cpu_first_us, busy_first_us, peak_bytes, null, null, null, null, sender_first_us
from told where first_us < at_us
