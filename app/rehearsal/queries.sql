-- name: attack_event
-- One more event at the arena's venue, for one scenario. $1 event_id.
insert into event (event_id, title, description, venue_id, plan_id, genre, starts_at, currency,
                   max_tickets, hold_ms, search)
select $1, 'Rehearsal of an attack', '', venue_id, plan_id, genre, starts_at, currency,
       max_tickets, hold_ms, search
from event where event_id = 'ev_arena';

-- name: attack_room
-- Its room, which calls nobody. $1 event_id, $2 seconds until it opens.
insert into room (event_id, mode, per_minute, max_active, accept_ms, shop_ms, grace_ms, opens_at)
values ($1, 'on', 60, 0, 60000, 600000, 120000, now() + make_interval(secs => $2::integer));
