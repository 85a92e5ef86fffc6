-- The consumers of whole steps.
select consumer, bucket, requests, errors, duration_us from consumer_six c
where c.start_us >= $whole_from and c.start_us < $whole_to and @conditions
