-- 0010 given up: places that their fans left, so that no slip brings one back after a repair.
--
-- Redis forgets who left when it loses the queue. A place that was called is in `call`, one that an
-- operator ended in `revocation`.
--
-- Online: yes, a new table only.    Undo: drop table given_up.
-- depends: 0003-room

create table given_up (
    event_id text   not null references room on delete cascade,
    place    bigint not null,
    primary key (event_id, place)
);
