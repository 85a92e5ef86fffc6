-- What single requests asked for in vain most: strangers choose paths, so a sketch of a thousand counters (space saving) picks
-- them.
select arrayJoin(topK(1000)(which)) from (@cells)
