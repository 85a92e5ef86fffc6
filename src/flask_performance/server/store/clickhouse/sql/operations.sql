-- The operations of some projects, those that are known longest first.
select project_id, method, route, endpoint, id from operation as o
where has($projects, project_id) order by seen, id limit 1 by id
