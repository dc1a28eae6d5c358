-- 0005 room controls: what operators may do to a running sale besides pace and cap.
--
-- `intake`: whether the room takes new fans. An operator sets open, closed or draining; a node
-- turns draining into drained once nobody waits, is called or shops. `stopped`: the emergency
-- stop. `changed_at` finds rooms whose copy in Redis may have been missed by a failed call.
-- A revocation keeps a place that was ended from coming back by its slip.
--
-- Online: yes. Columns with constant defaults are added without a rewrite; the index on call is
-- built under a lock that blocks inserts for as long as the table is long.
-- Undo: drop what is added; rows of kind 'skip' become 'fresh' first.
-- depends: 0003-room

alter table room
    add column message    text        not null default '', -- to all fans, at once
    add column intake     text        not null default 'open'
                          check (intake in ('open', 'closed', 'draining', 'drained')),
    add column stopped    boolean     not null default false,
    add column changed_at timestamptz not null default now();
create index room_changed on room (changed_at);
create index room_draining on room (event_id) where intake = 'draining';

alter table call
    drop constraint call_kind_check,
    add constraint call_kind_check check (kind in ('fresh', 'replacement', 'direct', 'skip'));
create index call_recent on call (event_id, called_at); -- for percentiles of the wait

create table revocation (
    event_id   text        not null references room on delete cascade,
    subject    text        not null,
    place      bigint      not null, -- 0 for an admission without one
    reason     text        not null, -- as the fan reads it
    revoked_at timestamptz not null default now()
);
create index revocation_place on revocation (event_id, place);
