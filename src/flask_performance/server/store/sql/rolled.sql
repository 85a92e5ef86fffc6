-- The newest request that is in the rollups.
select value from meta where name = 'rolled'
