-- All releases that a project's instances named, by the newest instance of each.
select release from instance
where project_id = $project_id and release is not null group by release order by max(id) desc
