-- About how many rows the table of each tier has, as the catalogue knows it: nothing is counted.
select table_name, estimated_size from duckdb_tables()
where table_name in ('request', 'rollup_minute', 'rollup_hour')
