-- All routes that a project's apps declared.
select app, environment, method, rule as route, endpoint, release, first_us, last_us from route
where project_id = $project_id order by rule, method, endpoint, app, environment
