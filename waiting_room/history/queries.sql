-- name: ticks_note
-- Every node that follows the log writes them; a repeat changes nothing, but adds who was there
-- where no node knew so far. $1 event_id, $2 generation, $3 versions, $4 notes, $5 presences.
insert into room_tick (event_id, generation, version, note, presence)
select $1, $2, version, note, presence
from unnest($3::bigint[], $4::text[], $5::bytea[]) as row (version, note, presence)
on conflict (event_id, generation, version) do update set presence = excluded.presence
where room_tick.presence is null and excluded.presence is not null;

-- name: reader_must_go_on
-- An export reads within one transaction, at the pace of whoever reads it. One that stands still
-- gives its snapshot back.
set local idle_in_transaction_session_timeout = '60s';

-- name: windows
-- $1 event_id.
select accept_ms, shop_ms from room where event_id = $1;

-- name: ticks_all
-- In order. $1 event_id.
select generation, version, note, presence from room_tick
where event_id = $1 order by generation, version;

-- name: places_that_had_a_turn
-- $1 event_id.
select place from call where event_id = $1 and place > 0;

-- name: turns_all
-- In the order of a log. $1 event_id.
select row_number() over (order by called_at, place, call_id) - 1 as turn, place, kind,
       (extract(epoch from called_at) * 1000)::bigint as called_at_ms
from call where event_id = $1
order by turn;

-- name: accepts_all
-- In order of time. $1 event_id.
with turn as (
    select row_number() over (order by called_at, place, call_id) - 1 as turn, accepted_at
    from call where event_id = $1
)
select turn, (extract(epoch from accepted_at) * 1000)::bigint as at_ms
from turn where accepted_at is not null order by accepted_at, turn;

-- name: ends_all
-- In order of time: as it was given, or by time; a call that lapsed ends with its accept window.
-- $1 event_id.
with turn as (
    select row_number() over (order by called_at, place, call_id) - 1 as turn, end_reason,
           case when ends_at is not null then ends_at when end_reason = 'lapsed'
                then called_at + make_interval(secs => accept_ms / 1000.0) end as ended_at
    from call join room using (event_id)
    where event_id = $1
)
select turn, (extract(epoch from ended_at) * 1000)::bigint as at_ms,
       coalesce(end_reason, 'time') as reason
from turn where ended_at is not null order by ended_at, turn;
