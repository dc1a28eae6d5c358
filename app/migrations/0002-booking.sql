-- 0002 booking: who bought which ticket. PostgreSQL has the last word on claimed and sold.
--
-- A Redis lock keeps two buyers apart for minutes. The partial unique index below keeps them
-- apart for ever, also when Redis lost its memory or a hold outlived its owner.
--
-- Online: yes, new tables only.    Undo: drop the tables in reverse order.
-- depends: 0001-catalogue

create table booking (
    booking_id   text        primary key,
    event_id     text        not null references event,
    subject      text        not null,
    hold_id      text        not null,
    fence        text        not null, -- generation.counter of the hold that was claimed
    state        text        not null check (state in
                     ('claimed', 'confirmed', 'captured', 'cancelling', 'cancelled', 'revoking', 'revoked')),
    reason       text,                 -- why it was cancelled or revoked, a code
    email        text        not null,
    currency     text        not null,
    total_minor  integer     not null check (total_minor >= 0),
    token        text        not null, -- what the gateway knows the payment method by
    payment_id   text,                 -- stored before the payment is confirmed
    attempt      integer     not null default 1, -- raised by whoever takes the booking over
    created_at   timestamptz not null default now(),
    touched_at   timestamptz not null default now(),
    confirmed_at timestamptz,
    captured_at  timestamptz,
    ended_at     timestamptz
);
create index booking_subject on booking (event_id, subject);
-- Recovery looks only at bookings on their way.
create index booking_open on booking (touched_at)
    where state in ('claimed', 'confirmed', 'cancelling', 'revoking');

create table booking_ticket (
    booking_id  text    not null references booking,
    event_id    text    not null,
    seat_index  integer not null,
    state       text    not null check (state in ('claimed', 'sold', 'freed')),
    price_minor integer not null check (price_minor >= 0),
    entry_code  text,
    primary key (booking_id, seat_index),
    foreign key (event_id, seat_index) references ticket
);
create unique index booking_ticket_live on booking_ticket (event_id, seat_index)
    where state in ('claimed', 'sold');

-- One row a business change, written in its transaction; the relay carries it to Redis.
create table outbox (
    outbox_id  bigint generated always as identity primary key,
    event_id   text        not null,
    hold_id    text        not null, -- the hold that the change ends, so that its locks can go
    seats      integer[]   not null,
    revs       integer[]   not null, -- of the same length
    state      text        not null check (state in ('claimed', 'sold', 'available')),
    created_at timestamptz not null default now()
);

-- The first answer to each Idempotency-Key, given again to every repeat.
create table idempotency (
    subject     text        not null,
    key         text        not null,
    fingerprint text        not null, -- SHA-256 of method, path and body
    booking_id  text        not null, -- chosen before the work begins
    status      integer,              -- null while the first call is under way
    body        bytea,
    created_at  timestamptz not null default now(),
    primary key (subject, key)
);
