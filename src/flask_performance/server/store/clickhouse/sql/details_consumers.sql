-- The consumers of whole steps.
select consumer as name, bucket, requests as n, errors as failed, duration_us as us from consumer_six as c
where c.start_us >= $whole_from and c.start_us < $whole_to and c.roll <= $coarse and @conditions
