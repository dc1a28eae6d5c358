-- 0004 draw: the lobby before a sale and the draw that gives its fans their order.
--
-- The seed is made with the room, by a trigger, so that no room is ever without a commitment,
-- whoever inserts it. Rooms that are open already, or made open, have no lobby: there the draw is
-- over, of nobody.
-- The list is kept in chunks of 2,048 entries, which are whole subtrees of the Merkle tree: a
-- proof reads one chunk, and a million entries are some 500 rows.
--
-- Online: yes, new tables and columns with constant defaults.
-- Undo: drop the trigger, both functions, the tables and the two columns.
-- depends: 0003-room

alter table room
    add column draw           boolean not null default true,
    add column lobby_opens_at timestamptz; -- null: from the room's beginning

create table draw (
    event_id     text        primary key references room on delete cascade,
    -- 244 random bits of PostgreSQL's strong generator. Secret until `ordered_at`.
    seed         bytea       not null default
        sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
    beacon_name  text        not null default '', -- of a future public round; '' for none
    beacon_value bytea,
    beacon_given_up boolean  not null default false,
    entries      integer,     -- all four null while the lobby is open
    base         bigint,      -- places of the draw begin above it
    root         bytea,
    closed_at    timestamptz,
    ordered_at   timestamptz, -- the places are stored; seed and beacon are public from then on
    laid_at      timestamptz  -- the last place was laid into the queue, for the first time
);

create function draw_begin(event text, opens_at timestamptz) returns void language sql as $$
    insert into draw (event_id) values (event);
    update draw set entries = 0, base = 0, root = sha256(''), closed_at = now(),
           ordered_at = now(), laid_at = now()
    where event_id = event and opens_at <= now();
$$;
do $$ begin perform draw_begin(event_id, opens_at) from room; end $$;

create function draw_commit() returns trigger language plpgsql as $$
begin
    perform draw_begin(new.event_id, new.opens_at);
    return new;
end
$$;
create trigger room_has_a_draw after insert on room
    for each row execute function draw_commit();

create table draw_chunk (
    event_id text    not null references draw on delete cascade,
    chunk    integer not null, -- 0, 1, …, in the order of the entry ids
    first    text    collate "C" not null,
    lines    bytea   not null, -- `entry_id:joined_at_ms subject`, one a line, sorted
    root     bytea   not null, -- of this subtree
    places   bytea,            -- u32 big-endian each, counted from 1; null until the order is known
    primary key (event_id, chunk)
);
create index draw_chunk_first on draw_chunk (event_id, first);
-- Random text: to try to compress it costs more than it saves.
alter table draw_chunk alter column lines set storage external,
    alter column places set storage external;

-- Who left after the draw: a repair does not bring them back.
create table draw_left (
    event_id text not null references draw on delete cascade,
    subject  text not null,
    primary key (event_id, subject)
);
