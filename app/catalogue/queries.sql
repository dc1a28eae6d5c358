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
