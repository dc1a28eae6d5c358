-- name: tickets_priced
-- What tickets cost. $1 event_id, $2 seat indexes.
select seat_index, category, price_minor
from ticket join price_category using (event_id, category)
where event_id = $1 and seat_index = any($2::integer[]);

-- name: tickets_live
-- How many tickets a fan has claimed or bought. $1 event_id, $2 subject.
select count(*)
from booking_ticket join booking using (booking_id, event_id)
where event_id = $1 and subject = $2 and booking_ticket.state in ('claimed', 'sold');

-- name: event_on_sale
-- Locks nothing: a cancellation waits for bookings, not they for it. $1 event_id.
select cancelled_at is null and starts_at > now() from event where event_id = $1;

-- name: fan_lock
-- One claim of a fan at a time, so that the limit per fan is counted right. $1 event_id, $2 subject.
select pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0));

-- name: fan_room
-- How many more tickets a fan may have, and how many any fan. $1 event_id, $2 subject.
select max_tickets, max_tickets - (
    select count(*)
    from booking_ticket join booking using (booking_id, event_id)
    where event_id = $1 and subject = $2 and booking_ticket.state in ('claimed', 'sold')
) as room
from event where event_id = $1;

-- name: tickets_taken
-- Which of these seats are somebody's. $1 event_id, $2 seat indexes.
select seat_index from booking_ticket
where event_id = $1 and seat_index = any($2::integer[]) and state in ('claimed', 'sold')
order by seat_index;

-- name: booking_insert
-- $1 booking_id, $2 event_id, $3 subject, $4 hold_id, $5 fence, $6 email, $7 currency,
-- $8 total_minor, $9 token.
insert into booking (booking_id, event_id, subject, hold_id, fence, state, email, currency, total_minor, token)
values ($1, $2, $3, $4, $5, 'claimed', $6, $7, $8, $9);

-- name: tickets_raise
-- Raises the revs of tickets in the order of their seats, so that two claims can't deadlock.
-- $1 event_id, $2 seat indexes. Returns seat_index, rev.
with locked as (
    select seat_index from ticket
    where event_id = $1 and seat_index = any($2::integer[])
    order by seat_index for update
)
update ticket set rev = rev + 1 from locked
where ticket.event_id = $1 and ticket.seat_index = locked.seat_index
returning ticket.seat_index, ticket.rev;

-- name: booking_tickets_insert
-- Raises unique_violation on booking_ticket_live when somebody was faster.
-- $1 booking_id, $2 event_id, $3 seats, $4 prices.
insert into booking_ticket (booking_id, event_id, seat_index, state, price_minor)
select $1, $2, seat, 'claimed', price from unnest($3::integer[], $4::integer[]) as row (seat, price);

-- name: outbox_insert
-- $1 event_id, $2 hold_id, $3 seats, $4 revs, $5 state.
insert into outbox (event_id, hold_id, seats, revs, state) values ($1, $2, $3, $4, $5);

-- name: booking_get
-- $1 booking_id.
select *, extract(epoch from now() - created_at)::float8 as age_s
from booking where booking_id = $1;

-- name: booking_tickets
-- $1 booking_id.
select seat_index, state, price_minor, entry_code from booking_ticket
where booking_id = $1 order by seat_index;

-- name: booking_payment
-- The payment's id, before it is confirmed. $1 booking_id, $2 attempt, $3 payment_id.
update booking set payment_id = $3, touched_at = now()
where booking_id = $1 and attempt = $2 returning booking_id;

-- name: booking_move
-- One step of the state machine, by whoever owns the attempt.
-- $1 booking_id, $2 attempt, $3 from, $4 to, $5 reason or null. No row: somebody else owns it.
update booking set state = $4, reason = coalesce($5, reason), touched_at = now(),
    confirmed_at = case when $4 = 'confirmed' then now() else confirmed_at end,
    captured_at = case when $4 = 'captured' then now() else captured_at end,
    ended_at = case when $4 in ('cancelled', 'revoked') then now() else ended_at end
where booking_id = $1 and attempt = $2 and state = $3
returning booking_id;

-- name: booking_tickets_move
-- $1 booking_id, $2 from, $3 to.
update booking_ticket set state = $3 where booking_id = $1 and state = $2;

-- name: entry_code_set
-- $1 booking_id, $2 seat_index, $3 code.
update booking_ticket set entry_code = $3
where booking_id = $1 and seat_index = $2 and entry_code is null;

-- name: booking_take_over
-- Bookings that stand still, one node each; the old owner's attempt is void from now on.
-- $1 untouched for, seconds, $2 limit.
update booking set attempt = attempt + 1, touched_at = now()
where booking_id in (
    select booking_id from booking
    where state in ('claimed', 'confirmed', 'cancelling', 'revoking')
      and touched_at < now() - make_interval(secs => $1)
    order by touched_at limit $2 for update skip locked
)
returning *, extract(epoch from now() - created_at)::float8 as age_s;

-- name: outbox_any
-- Whether there is a row: every node asks twice a second, and nearly always there is none.
select exists (select from outbox);

-- name: outbox_take
-- The oldest changes, for this relay alone; in order of their revs. $1 limit, $2 events to leave.
select outbox_id, event_id, hold_id, seats, revs, state from outbox
where event_id <> all($2::text[])
order by outbox_id limit $1 for update skip locked;

-- name: outbox_done
-- $1 ids.
delete from outbox where outbox_id = any($1::bigint[]);

-- name: key_begin
-- The first call with a key. $1 subject, $2 key, $3 fingerprint, $4 booking_id. No row: a repeat.
insert into idempotency (subject, key, fingerprint, booking_id) values ($1, $2, $3, $4)
on conflict do nothing returning booking_id;

-- name: key_get
-- $1 subject, $2 key.
select fingerprint, booking_id, status, body,
    extract(epoch from now() - created_at)::float8 as age_s
from idempotency where subject = $1 and key = $2;

-- name: key_lock
-- A claim and whoever gives it up take turns. $1 subject, $2 key, $3 booking_id.
-- No row: the key was given up, or answered.
select booking_id from idempotency
where subject = $1 and key = $2 and booking_id = $3 and status is null for update;

-- name: key_answer
-- The first answer stays. $1 subject, $2 key, $3 booking_id, $4 status, $5 body. Returns it.
update idempotency set status = coalesce(status, $4), body = coalesce(body, $5)
where subject = $1 and key = $2 and booking_id = $3
returning status, body;

-- name: key_forget
-- The call may be made again. $1 subject, $2 key, $3 booking_id.
delete from idempotency where subject = $1 and key = $2 and booking_id = $3 and status is null;

-- name: event_for_holds
-- $1 event_id.
select currency, max_tickets, hold_ms, cancelled_at is null and starts_at > now() as on_sale
from event where event_id = $1;
