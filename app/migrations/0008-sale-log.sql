-- 0008 sale log: what the log of a sale needs and nothing else keeps: the ticks.
--
-- A tick's note says under which rules and numbers it decided, and up to which place fans had
-- joined by then; from these and the rows of `call`, `onsale log export` writes the sale's log
-- (decision 0012). Some rows a second while fans are called, one a second while fans join.
--
-- Online: yes, a new table only.    Undo: drop it.
-- depends: 0003-room

create table room_tick (
    event_id   text    not null references room on delete cascade,
    generation integer not null, -- of the room's state in Redis
    version    bigint  not null, -- of the log of that generation: the order
    note       text    not null, -- as tick.lua wrote it; waiting_room/history/model.py reads it
    primary key (event_id, generation, version)
);
