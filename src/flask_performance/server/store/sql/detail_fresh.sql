-- Requests up to an id that are not in the details yet.
create or replace temp table detailing as
select r.project_id, r.start_us // @width * @width as step_us, r.operation_id, i.environment, i.release, r.start_us,
       r.duration_us, r.status, r.outcome, r.first_byte_us, r.cpu_us, r.queue_us, r.request_bytes, r.response_bytes,
       r.path, r.consumer
from (select * from request where id > $detailed and id <= $upto) r join instance i on i.id = r.instance_id
