-- name: events
-- Whole events, in the order of the ids. $1 event ids text[]
select e.event_id, e.title, e.description, e.genre, e.currency, e.max_tickets, e.hold_ms, e.plan_id,
       e.cancelled_at is not null as cancelled, p.seats,
       (extract(epoch from e.starts_at) * 1000)::bigint as starts_at_ms,
       (extract(epoch from r.opens_at) * 1000)::bigint as opens_at_ms, r.mode,
       v.venue_id, v.name as venue_name, v.city, v.country, v.time_zone,
       array(select (f.performer_id, f.name)
             from event_performer ep join performer f using (performer_id)
             where ep.event_id = e.event_id order by ep.billing) as performers,
       array(select (c.category, c.name, c.price_minor)
             from price_category c where c.event_id = e.event_id order by c.category)
           as price_categories
from unnest($1::text[]) with ordinality as wanted (event_id, nth)
join event e using (event_id)
join room r using (event_id)
join venue v using (venue_id)
join plan p using (plan_id)
order by nth;

-- name: event_search
-- Ids of one page, best match first, then the soonest.
-- $1 tsquery text, '' for any; $2 start ms, $3 end ms (null: open); $4 limit, $5 offset
select event_id from event
where ($1::text = '' or search @@ to_tsquery('simple', $1))
  and ($2::bigint is null or starts_at >= to_timestamp($2::bigint / 1000.0))
  and ($3::bigint is null or starts_at < to_timestamp($3::bigint / 1000.0))
order by ts_rank(search, to_tsquery('simple', $1)) desc, starts_at, event_id
limit $4 offset $5;

-- name: event_search_total
-- How many event_search finds over all pages. $1 to $3 as there.
select count(*) from event
where ($1::text = '' or search @@ to_tsquery('simple', $1))
  and ($2::bigint is null or starts_at >= to_timestamp($2::bigint / 1000.0))
  and ($3::bigint is null or starts_at < to_timestamp($3::bigint / 1000.0));

-- name: tickets
-- One page of an event's tickets. $1 event_id, $2 after this seat index, $3 limit
select seat_index, category from ticket
where event_id = $1 and seat_index > $2
order by seat_index limit $3;

-- name: plan_geometry
-- The plan document, JSON, gzip. $1 plan_id
select geometry from plan where plan_id = $1;

-- name: event_known
select exists (select from event where event_id = $1);

-- name: venue_add
insert into venue (venue_id, name, city, country, time_zone) values ($1, $2, $3, $4, $5)
on conflict do nothing;

-- name: performer_add
insert into performer (performer_id, name) values ($1, $2) on conflict do nothing;

-- name: plan_add
-- $1 plan_id, $2 venue_id, $3 seats, $4 sha256 of the document, $5 the document, gzip
insert into plan (plan_id, venue_id, seats, sha256, geometry) values ($1, $2, $3, $4, $5)
on conflict do nothing;

-- name: event_add
-- Returns the id, or nothing when the event was there. The search text is folded by the caller:
-- $11 title, $12 performers, $13 venue and place, $14 the rest.
insert into event (event_id, title, description, venue_id, plan_id, genre, starts_at, currency,
                   max_tickets, hold_ms, search)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
        setweight(to_tsvector('simple', $11::text), 'A') || setweight(to_tsvector('simple', $12::text), 'B')
        || setweight(to_tsvector('simple', $13::text), 'C') || setweight(to_tsvector('simple', $14::text), 'D'))
on conflict do nothing
returning event_id;

-- name: event_performer_add
insert into event_performer (event_id, performer_id, billing) values ($1, $2, $3);

-- name: price_category_add
insert into price_category (event_id, category, name, price_minor) values ($1, $2, $3, $4);

-- name: room_add
-- $1 event_id, $2 mode, $3 per_minute, $4 max_active, $5 accept_ms, $6 shop_ms, $7 grace_ms, $8 opens_at
insert into room (event_id, mode, per_minute, max_active, accept_ms, shop_ms, grace_ms, opens_at)
values ($1, $2, $3, $4, $5, $6, $7, $8);
