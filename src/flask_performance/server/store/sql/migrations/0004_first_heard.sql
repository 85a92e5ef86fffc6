-- From schema 3: when each process was first heard, as far as its receipts are kept.
alter table instance add column first_us bigint;

update instance set first_us = heard.first_us
from (select instance_id, min(received_us) as first_us from receipt group by instance_id) heard
where heard.instance_id = instance.id;
