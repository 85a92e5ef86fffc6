-- Releases that a project's instances named, by the newest instance of each; of very many the newest.
select release from instance
where project_id = $project_id and release is not null group by release order by max(id) desc limit 500
