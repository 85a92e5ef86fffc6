-- Of operations that have a threshold of their own: how they are judged by it, and would be by the project's. What is
-- to be judged is put together first.
select "group", @own as own, @usual as usual, sum(requests)::bigint as requests
from (
    select @group as "group", operation_id, status, outcome, bucket, sum(requests) as requests, 0 as duration_us
    from (@cells) where operation_id in (select unnest($own_operations::integer[]))
    group by "group", operation_id, status, outcome, bucket
)
group by "group", own, usual
