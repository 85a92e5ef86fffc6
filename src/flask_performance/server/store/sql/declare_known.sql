-- Routes that are declared again.
update route set last_us = greatest(route.last_us, block.received_us),
                 release = if(block.received_us >= route.last_us, block.release, route.release)
from block
where route.project_id = block.project_id and route.app = block.app and route.method = block.method and route.rule = block.rule
  and route.environment is not distinct from block.environment and route.endpoint is not distinct from block.endpoint
