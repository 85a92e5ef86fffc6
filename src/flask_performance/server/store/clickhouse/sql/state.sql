-- What is stored and rolled up lately, from one look at `commit`: which of the blocks are in the rollups is told with how far
-- these are. And (kind 9) attempts that have not ended.
select kind, attempt, first_us, last_us, covered, minutes, coarse, upto from (
    select kind, attempt, first_us, last_us, covered, minutes, coarse, upto from commit
    where attempt > (select max(low) from commit)
    union all
    select toInt8(9) as kind, attempt, block as first_us, toInt64(now() - at) as last_us, emptyArrayInt64() as covered,
           toInt64(0) as minutes, toInt64(0) as coarse, toInt64(0) as upto
    from begun where attempt > (select max(low) from commit)
                 and attempt not in (select attempt from commit where attempt > (select max(low) from commit))
)
order by attempt
