-- name: ticks_note
-- Every node that follows the log writes them; a repeat changes nothing.
-- $1 event_id, $2 generation, $3 versions, $4 notes.
insert into room_tick (event_id, generation, version, note)
select $1, $2, version, note from unnest($3::bigint[], $4::text[]) as row (version, note)
on conflict do nothing;

-- name: ticks_all
-- In order. $1 event_id.
select generation, version, note from room_tick where event_id = $1 order by generation, version;

-- name: calls_all
-- In the order of a log. $1 event_id.
select place, kind, (extract(epoch from called_at) * 1000)::bigint as called_at_ms,
       (extract(epoch from accepted_at) * 1000)::bigint as accepted_at_ms,
       (extract(epoch from ends_at) * 1000)::bigint as ends_at_ms, end_reason as reason
from call where event_id = $1 and end_reason is distinct from 'refused'
order by called_at, place, call_id;

-- name: windows
-- $1 event_id.
select accept_ms, shop_ms from room where event_id = $1;
