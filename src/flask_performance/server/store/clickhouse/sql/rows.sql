-- About how many rows the table of each tier has: nothing is counted.
select name, toInt64(sum(n)) from (
    select replaceRegexpOne(table, '_local$', '') as name, rows as n from @parts
    where active and (database = currentDatabase() or database = $database) and table in ('request@local', 'rollup_minute@local', 'rollup_hour@local')
    union all select arrayJoin(['request', 'rollup_minute', 'rollup_hour']) as name, toUInt64(0) as n
)
group by name
