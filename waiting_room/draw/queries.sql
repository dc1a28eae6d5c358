-- name: draw_get
-- $1 event_id. The seed comes along: who shows it decides by `ordered_at`.
select d.seed, d.beacon_name, d.beacon_value, d.beacon_given_up, d.entries, d.base, d.root,
       d.ordered_at is not null as ordered, d.laid_at is not null as laid,
       (extract(epoch from d.closed_at) * 1000)::bigint as closed_at_ms,
       (extract(epoch from r.opens_at) * 1000)::bigint as opens_at_ms, r.draw
from draw d join room r using (event_id)
where d.event_id = $1;

-- name: draw_lock
-- One node draws; a lock of the connection, so that it goes with the node. $1 name.
select pg_try_advisory_lock(hashtextextended($1, 0));

-- name: draw_unlock
select pg_advisory_unlock(hashtextextended($1, 0));

-- name: draw_epoch
-- Held until the commit: a repair raises it, and then what was read of Redis is of no use.
-- $1 event_id.
select epoch from generation where event_id = $1 and part = 'wr' for share;

-- name: draw_fix
-- The list is fixed. Returns the id once; nothing when it was fixed before.
-- $1 event_id, $2 entries, $3 base, $4 root.
update draw set entries = $2, base = $3, root = $4, closed_at = now()
where event_id = $1 and root is null
returning event_id;

-- name: draw_ceiling
-- All places of the draw are given out. $1 event_id, $2 the last of them.
update room set place_ceiling = greatest(place_ceiling, $2::bigint) where event_id = $1;

-- name: draw_chunks
-- $1 event_id.
select chunk, lines, places from draw_chunk where event_id = $1 order by chunk;

-- name: draw_chunk_of
-- The chunk in which an entry is, if it is in the list. $1 event_id, $2 entry id.
select chunk, lines, places from draw_chunk
where event_id = $1 and first <= $2 collate "C"
order by first desc limit 1;

-- name: draw_chunk_get
-- $1 event_id, $2 chunk.
select lines, places from draw_chunk where event_id = $1 and chunk = $2;

-- name: draw_roots
-- $1 event_id.
select root from draw_chunk where event_id = $1 order by chunk;

-- name: draw_order
-- $1 event_id, $2 chunk, $3 places.
update draw_chunk set places = $3 where event_id = $1 and chunk = $2;

-- name: draw_ordered
-- From now on seed and beacon are public. $1 event_id.
update draw set ordered_at = coalesce(ordered_at, now()) where event_id = $1;

-- name: draw_laid
-- $1 event_id.
update draw set laid_at = coalesce(laid_at, now()) where event_id = $1;

-- name: draw_left_add
-- An entry is over. $1 event_id, $2 subject, $3 entry id.
insert into draw_left (event_id, subject, entry_id) values ($1, $2, $3) on conflict do nothing;

-- name: draw_left
-- Entries that are over, '' for whichever the fan had. $1 event_id.
select subject, entry_id from draw_left where event_id = $1;

-- name: draw_left_has
-- $1 event_id, $2 subject, $3 entry id.
select exists (
    select from draw_left where event_id = $1 and subject = $2 and entry_id in ($3, '')
);

-- name: draw_places_left
-- Drawn places that were given up or taken back. $1 event_id, $2 first, $3 last place of the draw.
select place from given_up where event_id = $1 and place between $2 and $3
union
select place from revocation where event_id = $1 and place between $2 and $3;

-- name: draw_calls
-- Fans who had their turn, and the highest place that had: what lies below was passed over.
-- $1 event_id, $2 first, $3 last place of the draw.
-- Who skips the line, or goes straight in once the room is off, passes over nobody.
select coalesce(array_agg(subject), '{}') as subjects,
       coalesce(max(place) filter (where kind not in ('skip', 'direct')), 0) as frontier
from call
where event_id = $1
  and (place between $2 and $3 or kind = 'skip' or kind = 'direct'
       and called_at >= (select opens_at from room where event_id = $1));

-- name: beacon_name
-- Only while the list is not fixed. $1 event_id, $2 the round's name, '' for none.
update draw set beacon_name = $2 where event_id = $1 and root is null returning event_id;

-- name: beacon_value
-- Only once the list is fixed and before the order is. $1 event_id, $2 value.
update draw set beacon_value = $2
where event_id = $1 and root is not null and ordered_at is null and beacon_name <> ''
  and not beacon_given_up and coalesce(beacon_value, $2) = $2
returning event_id;

-- name: beacon_give_up
-- Draw without it; the page says so. $1 event_id.
update draw set beacon_given_up = true
where event_id = $1 and root is not null and ordered_at is null and beacon_name <> ''
  and beacon_value is null
returning event_id;
