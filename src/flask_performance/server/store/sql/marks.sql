-- The newest request that is in the rollups, that is in the details, that is sorted.
select name, value from meta where name in ('rolled', 'detailed', 'settled')
