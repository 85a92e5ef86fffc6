-- The measures of whole steps.
select measure, bucket, requests as n, duration_us as us from measure_six as c
where c.start_us >= $whole_from and c.start_us < $whole_to and c.roll <= $coarse and @conditions
