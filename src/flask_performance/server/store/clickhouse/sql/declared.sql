-- All routes that a project's apps declared.
select app, environment, method, rule as route, endpoint, newest as release, first as first_us, last as last_us from (
    select app, environment, method, rule, endpoint, argMax(tuple(release), received_us).1 as newest,
           min(received_us) as first, max(received_us) as last
    from route as r where r.project_id = $project_id
    group by app, environment, method, rule, endpoint
)
order by rule, method, endpoint, app, environment
