-- The measures of whole steps.
select measure, bucket, requests, if(bucket < 0, 0, requests * @middle) as duration_us from measure_six c
where c.start_us >= $whole_from and c.start_us < $whole_to and @conditions
