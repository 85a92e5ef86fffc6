-- Batches received. A row that stands for several batches becomes a row each, for they are looked up by their numbers; the last
-- one has what all of them brought.
select project_id, instance_id, received_us, number, if(last_one, coalesce(sent_total, -1), -1) as sent_total,
       if(last_one, stored, 0) as stored, if(last_one, refused, 0) as refused, if(last_one, waiting, 0) as waiting,
       if(last_one, final::tinyint, 0) as final, environment
from (
    select c.* exclude (instance_id), i.hashed as instance_id, i.environment, number = coalesce(c.last, -1) as last_one
    from (
        select *, unnest(range(coalesce(first, -1), coalesce(last, -1) + 1)) as number from receipt
        where received_us >= $from_us and received_us < $to_us
    ) c left join hashed_instance i on i.id = c.instance_id
)
