-- Releases that a project's instances named, by the newest instance of each; of very many the newest.
select release from (
    select release, max(seen) as newest from (
        select release, id, min(seen) as seen from instance as i
        where i.project_id = $project_id and release is not null group by release, id
    ) group by release
) order by newest desc limit 500
