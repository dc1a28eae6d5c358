-- 0011 recent numbers: the last minutes of what the console's charts show, for whoever opens it.
--
-- In PostgreSQL and not in a node's memory: a second operator reaches another node, and a node that
-- was replaced knows nothing. A row an event and 5 s while anything goes on; none is older than
-- 15 minutes and what a sweep leaves for a minute more. To lose them loses a picture, nothing else.
--
-- Online: yes, a new table only.    Undo: drop it; charts begin when the page opens.
-- depends: 0003-room

create table recent_numbers (
    event_id           text    not null references room on delete cascade,
    slot               bigint  not null, -- Unix time in steps of 5 s, rounded down
    waiting            integer not null,
    active             integer not null,
    called_last_minute integer not null,
    per_minute         integer not null,
    sold               integer not null,
    held               integer not null, -- held and claimed
    refused            bigint  not null, -- since the last repair
    primary key (event_id, slot)
);
