-- The attempts at a block, and those with a number: with the kind of their end (9: none).
select attempt, block, ifNull(ending, 9) from (
    select attempt, block from begun where attempt = $attempt or block = $block
) as l any left join (
    select attempt, min(kind) as ending from commit where attempt in (
        select attempt from begun where attempt = $attempt or block = $block
    ) group by attempt
) as r using attempt
