-- Blocks that are in the minutes and not in what is coarser.
select arrayJoin(covered) from commit where kind = 1 and attempt > $upto
