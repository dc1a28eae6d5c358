"""Claims that meet in PostgreSQL with no lock before them: the index alone keeps S1 and S2.

First show that the race can be seen at all.
"""

import asyncio
from collections import Counter

import pytest

from app.checkout.bookings.store import BookingStore, Overtaken
from app.checkout.errors import KeyInUse
from seatmap.errors import SeatsTaken, TooManyTickets

CLAIMS, SEATS = 200, 5
AT_ONCE = 12  # connections; each call uses one


@pytest.fixture
def store(db):
    return BookingStore(db)


async def together(calls):
    """What each call returned or raised; at most AT_ONCE of them run at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(call):
        async with room:
            return await call

    return await asyncio.gather(*(one(call) for call in calls), return_exceptions=True)


def kinds(outcomes):
    return Counter(type(one) for one in outcomes if isinstance(one, BaseException))


async def sold_twice(db, event_id):
    """Seats in more than one live booking."""
    rows = await db.fetch(
        "select seat_index from booking_ticket"
        " where event_id = $1 and state in ('claimed', 'sold')"
        " group by seat_index having count(*) > 1",
        event_id,
    )
    return [row["seat_index"] for row in rows]


async def rivals(make_claim, event_id):
    return [await make_claim(event_id, n % SEATS, subject=f"vs_{n}") for n in range(CLAIMS)]


async def test_control_without_the_index_seats_are_sold_twice(db, store, make_sale, make_claim):
    event_id = await make_sale(seats=SEATS)
    await db.execute("drop index booking_ticket_live")
    await together(store.claim(claim) for claim in await rivals(make_claim, event_id))
    assert sorted(await sold_twice(db, event_id)) == list(range(SEATS))


async def test_of_200_claims_on_5_seats_each_seat_goes_to_exactly_one(
    db, store, make_sale, make_claim
):
    event_id = await make_sale(seats=SEATS)
    outcomes = await together(store.claim(one) for one in await rivals(make_claim, event_id))
    assert kinds(outcomes) == {SeatsTaken: CLAIMS - SEATS}
    assert await sold_twice(db, event_id) == []
    rows = await db.fetch("select seat_index from booking_ticket order by seat_index")
    assert [row["seat_index"] for row in rows] == list(range(SEATS)), "losers left nothing"
    assert await db.fetchval("select count(*) from outbox") == SEATS


async def test_claims_that_overlap_get_all_their_seats_or_none(db, store, make_sale, make_claim):
    event_id = await make_sale(seats=12)
    claims = [
        await make_claim(event_id, n % 12, (n + 1) % 12, (n + 2) % 12, subject=f"vs_{n}")
        for n in range(48)
    ]
    outcomes = await together(store.claim(claim) for claim in claims)
    won = [one for one in outcomes if not isinstance(one, BaseException)]
    assert won
    assert set(kinds(outcomes)) <= {SeatsTaken}
    for booking in won:
        assert len(await store.tickets(booking.booking_id)) == 3
    assert await db.fetchval("select count(*) from booking_ticket") == 3 * len(won)


async def test_claims_and_releases_of_the_same_seats_do_not_block_each_other(
    store, make_sale, make_claim
):
    """A claim locks the ticket, then meets the index; a release must not go the other way."""
    event_id = await make_sale(seats=6)
    for round_ in range(15):
        owned = await store.claim(await make_claim(event_id, 0, 1, 2, subject="vs_owner"))
        await store.give_up(owned, "cancelling", "payment_declined")
        owned = await store.get(owned.booking_id)
        claims = [await make_claim(event_id, 2, 1, 0, subject=f"vs_{round_}_{n}") for n in range(6)]
        outcomes = await together(
            [*(store.claim(claim) for claim in claims), store.free(owned, "cancelled")]
        )
        assert set(kinds(outcomes)) <= {SeatsTaken}
        for booking in outcomes[:-1]:
            if not isinstance(booking, BaseException):
                await store.give_up(booking, "cancelling", "payment_declined")
                await store.free(await store.get(booking.booking_id), "cancelled")


async def test_a_fan_who_claims_in_many_tabs_keeps_to_the_limit(db, store, make_sale, make_claim):
    event_id = await make_sale(seats=20)
    claims = [await make_claim(event_id, 2 * n, 2 * n + 1) for n in range(8)]
    outcomes = await together(store.claim(claim) for claim in claims)
    assert kinds(outcomes) == {TooManyTickets: 5}
    assert await db.fetchval("select count(*) from booking_ticket") == 6


async def test_a_call_is_claimed_or_given_up_and_never_both(db, store, make_sale, make_claim):
    event_id = await make_sale(seats=30)
    for seat in range(30):
        claim = await make_claim(event_id, seat, subject=f"vs_{seat}")
        given_up, booking = await together(
            [
                store.abandon(claim.subject, claim.key, claim.booking_id),
                store.claim(claim),
            ]
        )
        assert given_up is isinstance(booking, KeyInUse)
        keys = await db.fetchval("select count(*) from idempotency where key = $1", claim.key)
        assert keys == (0 if given_up else 1)


async def test_a_booking_that_stands_still_is_taken_over_by_one_node_at_a_time(
    store, make_sale, make_claim
):
    event_id = await make_sale()
    bookings = [
        await store.claim(await make_claim(event_id, n, subject=f"vs_{n}")) for n in range(20)
    ]
    batches = await together(store.take_over(untouched_s=0, limit=4) for _ in range(5))
    attempts = Counter((one.booking_id, one.attempt) for batch in batches for one in batch)
    assert attempts
    assert set(attempts.values()) == {1}, "no two nodes own the same attempt"
    taken = {booking_id for booking_id, _ in attempts}
    for booking in bookings:
        if booking.booking_id in taken:
            with pytest.raises(Overtaken):
                await store.commit(booking)
