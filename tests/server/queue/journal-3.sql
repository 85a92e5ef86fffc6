-- A journal of schema 3 (entries have checksums): one batch waits, one is a dead letter.
create table entry (
    id integer primary key autoincrement,
    project_id integer not null, received_us integer not null,
    gzip integer not null, body blob not null,
    counted integer not null default 0, crc integer
);
create table dead_letter (
    id integer primary key,
    project_id integer not null, received_us integer not null,
    gzip integer not null, body blob not null,
    reason text not null,
    counted integer not null default 0, crc integer
);
insert into entry values (41, 1, 5, 0, cast('{}' as blob), 0, 2663532745);
insert into dead_letter values (7, 1, 6, 0, cast('{"a"' as blob), 'no batch', 0, 1347041241);
pragma user_version = 3;
