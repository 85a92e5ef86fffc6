-- The instances heard since a moment.
select distinct instance_id from receipt where received_us >= $since_us
