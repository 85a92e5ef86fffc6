-- The paths that were asked for in vain in what is fresh, the most frequent of an environment.
insert into unmatched_six
select d.project_id, d.step_us, d.operation_id, d.environment, d.release, d.status, d.path, count(*) as requests,
       max(d.start_us), arg_max(d.consumer, d.start_us), max(d.start_us) filter (d.consumer is not null),
       min(d.consumer) is distinct from max(d.consumer)
from detailing d join operation o on o.id = d.operation_id
where d.status in (308, 405) or (d.status >= 300 and o.route = '')
group by 1, 2, 3, 4, 5, 6, 7
qualify row_number() over (partition by d.project_id, d.step_us, d.environment order by count(*) desc, d.path) <= @most
