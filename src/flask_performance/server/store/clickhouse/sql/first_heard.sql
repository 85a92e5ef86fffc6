-- The releases whose first process was first heard in a window, the newest first.
select name, first as first_us from (
    select i.release as name, min(i.first_us) as first, max(seen) as newest from instance as i
    where i.project_id = $project_id and i.release is not null and @conditions
    group by i.release
)
where first >= $start_us and first < $end_us order by first desc, newest desc limit $limit
