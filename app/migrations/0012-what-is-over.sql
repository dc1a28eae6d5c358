-- 0012 what is over: places that their fans left, so that no slip brings one back after a repair,
-- and a way to find exchange codes that are of no use any more.
--
-- Redis forgets who left when it loses the queue. A place that was called is in `call`, one that an
-- operator ended in `revocation`.
--
-- Online: yes, a new table. The index is built under a lock that blocks new codes of shops for as
-- long as their table is long.
-- Undo: drop table given_up; drop index exchange_expires.
-- depends: 0003-room 0007-shops

create table given_up (
    event_id text   not null references room on delete cascade,
    place    bigint not null,
    primary key (event_id, place)
);

create index exchange_expires on exchange (expires_at);
