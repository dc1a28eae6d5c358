-- name: room_get
-- $1 event_id.
select mode, per_minute, max_active, accept_ms, shop_ms, grace_ms, paused, pause_reason, message,
       intake, stopped, version, place_ceiling,
       (extract(epoch from opens_at) * 1000)::bigint as opens_at_ms,
       coalesce((extract(epoch from calls_resume_at) * 1000)::bigint, 0) as resume_at_ms, draw,
       coalesce((extract(epoch from lobby_opens_at) * 1000)::bigint, 0) as lobby_opens_at_ms
from room where event_id = $1;

-- name: room_lock
-- Of two changes to one room the second waits for the first, and then sees its version. $1 event_id.
select from room where event_id = $1 for update;

-- name: room_change
-- Under room_lock. $1 event_id, then the values.
update room set mode = $2, per_minute = $3, max_active = $4, accept_ms = $5, shop_ms = $6,
       grace_ms = $7, paused = $8, pause_reason = $9, opens_at = to_timestamp($10::bigint / 1000.0),
       message = $11, intake = $12, stopped = $13, draw = $14,
       lobby_opens_at = to_timestamp(nullif($15::bigint, 0) / 1000.0),
       version = version + 1, changed_at = now()
where event_id = $1;

-- name: room_resume_at
-- Calling stands still until then. $1 event_id, $2 Unix ms.
update room set calls_resume_at = to_timestamp($2::bigint / 1000.0), version = version + 1,
       changed_at = now()
where event_id = $1;

-- name: rooms_draining
-- Rooms whose end must be seen.
select event_id from room where intake = 'draining';

-- name: rooms_changed
-- Rooms whose copy in Redis may be older than the row. $1 how far back, in seconds.
select event_id, version from room where changed_at > now() - make_interval(secs => $1);

-- name: ceiling_raise
-- Places up to the answer may be given out; two nodes that meet the same ceiling raise it once.
-- $1 event_id, $2 the ceiling that is too low, $3 block.
update room set place_ceiling = greatest(place_ceiling, $2::bigint + $3::bigint)
where event_id = $1
returning place_ceiling;

-- name: calls_insert
-- One row a call, one statement a tick; a repeat changes nothing. False, and no row, once a repair
-- has raised the generation. A repair that is about to waits for the lock, and then reads the rows.
-- $1 event_id, $2 generation, $3 subjects, $4 call ids, $5 places, $6 kinds, $7 called at, Unix ms.
with still as (
    select from generation where event_id = $1 and part = 'wr' and generation = $2 for share
), kept as (
    insert into call (event_id, subject, call_id, place, kind, called_at)
    select $1, subject, call_id, place, kind, to_timestamp(called_at / 1000.0)
    from unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[])
        as row (subject, call_id, place, kind, called_at)
    where exists (select from still)
    on conflict do nothing
)
select exists (select from still);

-- name: admissions_keep
-- Live admissions, each with its end, one statement for all of a moment. A repeat changes nothing,
-- and no end comes sooner by it. Who was let straight in, or accepted while PostgreSQL was away, has
-- no row, or no end there, until then.
-- $1 event_id, $2 subjects, $3 call ids, $4 places, $5 kinds, $6 called at, Unix ms, $7 ends, Unix ms.
insert into call (event_id, subject, call_id, place, kind, called_at, accepted_at, ends_at)
select $1, subject, call_id, place, kind, to_timestamp(called_at / 1000.0), now(),
       to_timestamp(ends_at / 1000.0)
from unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[])
    as row (subject, call_id, place, kind, called_at, ends_at)
on conflict (event_id, call_id) do update
    set accepted_at = coalesce(call.accepted_at, excluded.accepted_at),
        ends_at = greatest(call.ends_at, excluded.ends_at)
    where call.end_reason is null;

-- name: call_accepted
-- Also moves the end of an admission. $1 event_id, $2 call_id, $3 end, Unix ms.
update call set accepted_at = coalesce(accepted_at, now()), ends_at = to_timestamp($3::bigint / 1000.0)
where event_id = $1 and call_id = $2;

-- name: call_ended
-- $1 event_id, $2 call_id, $3 reason.
update call set ends_at = least(ends_at, now()), end_reason = $3
where event_id = $1 and call_id = $2 and end_reason is null;

-- name: call_over
-- A fan leaves or is revoked, perhaps before the call's own row is written: that one comes too late
-- then. $1 event_id, $2 subject, $3 call id, $4 place, $5 kind, $6 called at, Unix ms; arrays of one;
-- $7 reason.
insert into call (event_id, subject, call_id, place, kind, called_at, ends_at, end_reason)
select $1, subject, call_id, place, kind, to_timestamp(called_at / 1000.0), now(), $7
from unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[])
    as row (subject, call_id, place, kind, called_at)
on conflict (event_id, call_id) do update
    set ends_at = least(call.ends_at, now()), end_reason = excluded.end_reason
    where call.end_reason is null;

-- name: call_end_moved
-- $1 event_id, $2 subject, $3 end, Unix ms.
update call set ends_at = to_timestamp($3::bigint / 1000.0)
where event_id = $1 and subject = $2 and end_reason is null and accepted_at is not null;

-- name: calls_lapsed
-- $1 event_id, $2 ids of calls whose accept window ran out.
update call set end_reason = 'lapsed'
where event_id = $1 and call_id = any($2::text[]) and end_reason is null and accepted_at is null;

-- name: calls_open
-- What a repair lays. $1 event_id.
select subject, call_id, place, kind, (extract(epoch from called_at) * 1000)::bigint as called_at_ms,
       coalesce((extract(epoch from ends_at) * 1000)::bigint, 0) as ends_at_ms
from call
where event_id = $1 and end_reason is null and coalesce(ends_at > now(), true);

-- name: places_over
-- Places that no slip gives back. $1 event_id, $2 places.
select place from call where event_id = $1 and place = any($2::bigint[])
union
select place from revocation where event_id = $1 and place = any($2::bigint[])
union
select place from given_up where event_id = $1 and place = any($2::bigint[]);

-- name: place_given_up
-- $1 event_id, $2 place.
insert into given_up (event_id, place) values ($1, $2) on conflict do nothing;

-- name: places_over_all
-- Likewise, all there are. $1 event_id.
select place from call where event_id = $1 and place > 0
union
select place from revocation where event_id = $1 and place > 0
union
select place from given_up where event_id = $1;

-- name: call_at_place
-- Whose turn came or comes at a place. $1 event_id, $2 place.
select subject from call where event_id = $1 and place = $2 order by called_at desc limit 1;

-- name: revocation_add
-- $1 event_id, $2 subject, $3 place, 0 for none, $4 reason, $5 entry of the lobby, '' for none.
with left_lobby as (
    insert into draw_left (event_id, subject, entry_id) select $1, $2, $5 where $5 <> ''
    on conflict do nothing
)
insert into revocation (event_id, subject, place, reason) values ($1, $2, $3, $4);

-- name: calls_revoke
-- $1 event_id, $2 subject.
update call set ends_at = least(ends_at, now()), end_reason = 'revoked'
where event_id = $1 and subject = $2 and end_reason is null;

-- name: calls_after
-- For audits. $1 event_id, $2 place, $3 limit.
select subject, place, kind, (extract(epoch from called_at) * 1000)::bigint as called_at_ms,
       (extract(epoch from accepted_at) * 1000)::bigint as accepted_at_ms,
       (extract(epoch from ends_at) * 1000)::bigint as ends_at_ms, end_reason
from call where event_id = $1 and place > $2
order by place, called_at limit $3;

-- name: calls_lately
-- From the queue, the newest first. $1 event_id, $2 how far back, in seconds, $3 limit.
select place, (extract(epoch from called_at) * 1000)::bigint as called_at_ms
from call
where event_id = $1 and called_at > now() - make_interval(secs => $2) and place > 0
      and kind in ('fresh', 'replacement')
order by called_at desc limit $3;

-- name: active_ends
-- Ms from now until each live admission ends. $1 event_id, $2 limit.
select (extract(epoch from ends_at - now()) * 1000)::bigint as left_ms
from call
where event_id = $1 and end_reason is null and accepted_at is not null and ends_at > now()
limit $2;

-- name: shopping_lately
-- How long admissions lasted that were accepted lately and are over. $1 event_id, $2 how far back,
-- in seconds, $3 limit.
select (extract(epoch from ends_at - accepted_at) * 1000)::bigint as stay_ms
from call
where event_id = $1 and called_at > now() - make_interval(secs => $2) and accepted_at is not null
      and ends_at between accepted_at and now()
order by called_at desc limit $3;

-- name: no_shows_lately
-- Of calls that were answered or ran out. $1 event_id, $2 how far back, in seconds.
select count(*) filter (where end_reason = 'lapsed') as lapsed, count(*) as settled
from call
where event_id = $1 and called_at > now() - make_interval(secs => $2) and kind <> 'direct'
      and (end_reason = 'lapsed' or accepted_at is not null);

-- name: rooms_all
-- Events whose queues a node looks after.
select event_id from room;
