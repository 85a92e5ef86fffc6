-- Routes that are declared for the first time, as far as a project may have more.
insert into route
select project_id, app, environment, method, rule, endpoint, release, received_us, received_us
from block
where not exists (
    select 1 from route
    where route.project_id = block.project_id and route.app = block.app and route.method = block.method
      and route.rule = block.rule and route.environment is not distinct from block.environment
      and route.endpoint is not distinct from block.endpoint
)
and (select count(*) from route where route.project_id = block.project_id) < $most
