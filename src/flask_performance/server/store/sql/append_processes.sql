-- What a block's processes said of themselves; -1 stands for "not known".
insert into process
select project_id, instance_id, at_us, at_us, nullif(cpu_us, -1), nullif(cpu_us, -1), nullif(busy_us, -1), nullif(busy_us, -1),
       nullif(memory_bytes, -1), nullif(memory_bytes, -1), nullif(concurrent, -1), nullif(threads, -1), nullif(beat_us, -1),
       nullif(request_ns, -1), nullif(sender_us, -1), nullif(sender_us, -1)
from block
