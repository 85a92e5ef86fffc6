-- Requests of the window, a row an operation and step, of the operations asked for.
select operation_id, start_us // $step_us as step, sum(requests)::bigint
from (@cells) where list_contains($wanted::integer[], operation_id)
group by operation_id, step
