-- name: seat_truth
-- Every ticket of an event with its rev and its live fate. $1 event_id.
-- One statement, so that all rows are of one moment. No row for a seat that is off sale.
select t.seat_index, t.rev, b.state
from ticket t
left join booking_ticket b
    on b.event_id = t.event_id and b.seat_index = t.seat_index and b.state in ('claimed', 'sold')
where t.event_id = $1
order by t.seat_index;

-- name: plan_of_event
-- $1 event_id. No row when there is no such event.
select p.plan_id, p.sha256, p.seats
from event e join plan p using (plan_id)
where e.event_id = $1;

-- name: plan_document
-- The document, JSON, gzip. $1 plan_id.
select geometry from plan where plan_id = $1;
