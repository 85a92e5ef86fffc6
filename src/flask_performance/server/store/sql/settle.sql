-- Requests between two ids, written anew: those of an operation beside each other take less room, and a question
-- about one operation finds them together.
create or replace temp table settling as
select * from request where id > $settled and id <= $upto order by project_id, operation_id, id;
delete from request where id > $settled and id <= $upto;
insert into request from settling;
drop table settling
