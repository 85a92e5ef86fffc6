-- When operations were called last, by some requests.
update operation set last_us = greatest(coalesce(last_us, 0), found.start_us)
from (
    select operation_id, max(start_us) as start_us from request where id > $rolled and id <= $upto group by operation_id
) found
where operation.id = found.operation_id
