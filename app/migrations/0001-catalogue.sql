-- 0001 catalogue: what is sold, where, who plays, at what price.
--
-- `ticket` has one row for each sellable unit and stores no sale state: who owns a ticket is a
-- question to booking_ticket (0002). `rev` is raised by each transaction that changes its fate,
-- so that whoever copies fates elsewhere can tell an old one from a new one.
--
-- Online: yes, new tables only.    Undo: drop the tables in reverse order.
-- depends:

create table venue (
    venue_id  text primary key,
    name      text not null,
    city      text not null,
    country   text not null,
    time_zone text not null
);

create table performer (
    performer_id text primary key,
    name         text not null
);

-- Geometry never changes once an event uses it: a new drawing is a new plan.
create table plan (
    plan_id  text    primary key,
    venue_id text    not null references venue,
    seats    integer not null check (seats > 0),
    sha256   text    not null,
    geometry bytea   not null -- the plan document, JSON, gzip
);

create table event (
    event_id     text        primary key,
    title        text        not null,
    description  text        not null,
    venue_id     text        not null references venue,
    plan_id      text        not null references plan,
    genre        text        not null,
    starts_at    timestamptz not null,
    currency     text        not null check (currency ~ '^[A-Z]{3}$'),
    max_tickets  integer     not null check (max_tickets > 0), -- per fan, held and booked
    hold_ms      integer     not null check (hold_ms > 0),
    cancelled_at timestamptz,
    created_at   timestamptz not null default now(),
    search       tsvector    not null
);
create index event_search on event using gin (search);
create index event_starts_at on event (starts_at, event_id);

create table event_performer (
    event_id     text not null references event on delete cascade,
    performer_id text not null references performer,
    billing      integer not null,
    primary key (event_id, performer_id)
);

create table price_category (
    event_id    text    not null references event on delete cascade,
    category    integer not null,
    name        text    not null,
    price_minor integer not null check (price_minor >= 0),
    primary key (event_id, category)
);

create table ticket (
    event_id   text    not null references event on delete cascade,
    seat_index integer not null check (seat_index >= 0),
    category   integer not null,
    rev        integer not null default 0,
    primary key (event_id, seat_index),
    foreign key (event_id, category) references price_category
);
