-- The attempts at a block, and those with a number: with the kind of their end (-1: none).
select attempt, block, if(ends = 0, -1, ending) from (
    select attempt, block from begun where attempt = $attempt or block = $block
) as l any left join (
    select attempt, max(kind) as ending, count() as ends from commit where attempt in (
        select attempt from begun where attempt = $attempt or block = $block
    ) group by attempt
) as r using attempt
