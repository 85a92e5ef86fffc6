-- The days of a table that were copied, each with the mark that it had; empty: they are not there any more.
select at_day, argMax(mark, version) from copied where part = $part group by at_day
