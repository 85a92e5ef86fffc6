-- A block's requests; -1 stands for "not known" in its integer columns.
insert into request
select $first_id + row_number() over () - 1, project_id, start_us, duration_us, operation_id, instance_id, status,
       outcome, path, nullif(first_byte_us, -1), nullif(request_bytes, -1), nullif(response_bytes, -1),
       nullif(cpu_us, -1), nullif(queue_us, -1), exception, trace_id, consumer
from block
