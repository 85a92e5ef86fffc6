-- Requests of the window, a row an operation and step, of the operations asked for.
select operation_id, intDiv(start_us, $step_us) as step, sum(n)
from (@cells) where has($wanted, operation_id)
group by operation_id, step
