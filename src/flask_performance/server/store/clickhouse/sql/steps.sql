-- Requests of the window, a row a project and step.
select project_id, intDiv(start_us - $from_us, $step_us) as step, sum(n) from (@cells) group by project_id, step
