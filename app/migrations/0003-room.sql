-- 0003 room: what must outlive Redis about a waiting room, and the generations of Redis' state.
--
-- Online: yes, new tables only.    Undo: drop the tables in reverse order.
-- depends: 0001-catalogue

create table room (
    event_id       text        primary key references event on delete cascade,
    mode           text        not null check (mode in ('off', 'auto', 'on')),
    per_minute     integer     not null check (per_minute >= 0),
    max_active     integer     not null check (max_active >= 0),
    accept_ms      integer     not null check (accept_ms > 0),
    shop_ms        integer     not null check (shop_ms > 0),
    grace_ms       integer     not null check (grace_ms > 0),
    paused         boolean     not null default false,
    pause_reason   text        not null default '',
    opens_at       timestamptz not null,
    version        integer     not null default 1, -- raised by each change: the ETag
    place_ceiling  bigint      not null default 0, -- no place above it was ever given out
    calls_resume_at timestamptz                    -- after a repair, calling stands still until then
);

-- Every admission: the calls from the queue, and those let straight through.
create table call (
    event_id    text        not null references room on delete cascade,
    subject     text        not null,
    call_id     text        not null, -- ad_…: the admission's id, the jti of its passes
    place       bigint      not null,
    kind        text        not null check (kind in ('fresh', 'replacement', 'direct')),
    called_at   timestamptz not null,
    accepted_at timestamptz,
    ends_at     timestamptz,          -- end of the admission as last known; null until accepted
    end_reason  text,                 -- 'lapsed', 'left', 'booked', 'ended', 'revoked', 'time'
    primary key (event_id, call_id)
);
create index call_open on call (event_id, subject) where end_reason is null;

-- One row for each event and part ('wr' waiting room, 'sm' seat map).
create table generation (
    event_id   text    not null references event on delete cascade,
    part       text    not null check (part in ('wr', 'sm')),
    generation integer not null,
    epoch      text    not null,
    run_id     text    not null default '', -- '' while a repair is under way
    repl_id    text    not null default '',
    primary key (event_id, part)
);

create table audit (
    audit_id bigint generated always as identity primary key,
    at       timestamptz not null default now(),
    who      text        not null,
    action   text        not null,
    event_id text,
    before   jsonb       not null default '{}',
    after    jsonb       not null default '{}'
);
create index audit_event on audit (event_id, audit_id);

create table console_link (
    token_hash text        primary key, -- SHA-256 of the one-time token
    expires_at timestamptz not null,
    used_at    timestamptz
);
