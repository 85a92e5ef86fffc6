-- When the oldest request began that is in the rollups and not in the details.
select min(start_us) from request
where id > (select value from meta where name = 'detailed') and id <= (select value from meta where name = 'rolled')
