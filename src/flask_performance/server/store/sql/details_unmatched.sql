-- What was asked for in vain in whole steps.
select operation_id, status, path, requests, last_us, consumer, named_us, several from unmatched_six c
where c.start_us >= $whole_from and c.start_us < $whole_to and @conditions
