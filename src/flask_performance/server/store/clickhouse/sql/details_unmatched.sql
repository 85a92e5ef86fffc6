-- What was asked for in vain in whole steps.
select operation_id, path, status, requests as n, last_us as last, consumer as who, named_us as named, several as others
from unmatched_six as c
where c.start_us >= $whole_from and c.start_us < $whole_to and c.roll <= $coarse and @conditions
