-- The paths that requests asked for in vain which are in the minutes and not in what is coarser yet: those that a sketch found
-- frequent in an environment.
insert into unmatched_six (project_id, start_us, operation_id, environment, release, status, path, requests, last_us, consumer,
                           named_us, several, roll, day)
select project_id, intDiv(start_us, $width_us) * $width_us as step, operation_id, environment, release, status, path,
       toInt64(count()), max(start_us), argMax(consumer, start_us), maxIf(start_us, consumer is not null),
       ifNull(uniqExact(consumer) > 1, 0), toInt64($roll), toDate($day)
from request as c
where c.day >= $late_day and bitShiftRight(c.id, 20) global in (@covered) and @vain and @key global in (
    select arrayJoin(keys) from (
        select topK(@most)(@key) as keys from request as c
        where c.day >= $late_day and bitShiftRight(c.id, 20) global in (@covered) and @vain
        group by project_id, intDiv(start_us, $width_us), environment
    )
)
group by project_id, step, operation_id, environment, release, status, path
