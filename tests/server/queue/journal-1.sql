-- A journal as schema 1 left it (the first months of 1.0): one batch waits, one is a dead letter.
create table entry (
    id integer primary key autoincrement,
    project_id integer not null, received_us integer not null,
    gzip integer not null, body blob not null
);
create table dead_letter (
    id integer primary key,
    project_id integer not null, received_us integer not null,
    gzip integer not null, body blob not null,
    reason text not null
);
insert into entry values (41, 1, 5, 0, cast('{}' as blob));
insert into dead_letter values (7, 1, 6, 0, cast('{"a"' as blob), 'no batch');
pragma user_version = 1;
