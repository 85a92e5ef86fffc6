-- A block's receipts; -1 stands for "not known".
insert into receipt
select project_id, instance_id, received_us, nullif(number, -1), nullif(number, -1), sent, nullif(sent_total, -1),
       stored, refused, waiting, final <> 0
from block
