-- From when on single requests of some projects are there.
select project_id, max(from_us) from raw_from where has($projects, project_id) group by project_id
