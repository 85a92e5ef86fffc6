-- Whether requests of a project had arrived, or been sent, before a moment.
select exists (from receipt where project_id = $project_id and received_us < $at_us and (stored > 0 or sent > 0))
