-- The releases whose first process was first heard in a window, the newest first. A process without a moment was heard
-- before moments were kept.
select i.release as name, min(coalesce(i.first_us, 0)) as first_us from instance i
where i.project_id = $project_id and i.release is not null and @conditions
group by i.release having min(coalesce(i.first_us, 0)) >= $start_us and min(coalesce(i.first_us, 0)) < $end_us
order by 2 desc, max(i.id) desc limit $limit
