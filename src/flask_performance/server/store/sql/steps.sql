-- Requests of the window, a row a project and step.
select project_id, (start_us - $from_us) // $step_us as step, sum(requests)::bigint
from (@cells) group by project_id, step
