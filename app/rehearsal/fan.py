"""One simulated fan, from the queue to the entry codes, over the same API as everybody."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from app.rehearsal.browser import Browser, Refused, Seen
from app.rehearsal.policy import choose_seats, nothing_may_come_back
from core.ids import new_id, ticket_id

MAX_TRIES_FOR_SEATS = 40
MAX_LOOKS_AT_BOOKING = 60
LOOK_PAUSE_S = 0.5
RETURNS_PAUSE_S = 1.0

PAYMENT = {"token": "tok_approve"}
EMAIL = "fan@example.com"


class Outcome(Enum):
    BOUGHT = "bought"
    LET_GO = "held, then let go"
    NO_SHOW = "did not accept the call"
    SOLD_OUT = "found nothing left"
    REFUSED = "was refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a fan came for. `think_s` is spent looking at the held seats before deciding."""

    tickets: int
    buys: bool = True
    shows_up: bool = True
    think_s: float = 0.0


class Guests(Protocol):
    """Hears who has something in the room, and who has given it back."""

    def came(self, subject: str) -> None: ...
    def went(self, subject: str) -> None: ...


@dataclass(slots=True)
class Diary:
    """What the fans of one rehearsal saw, together."""

    seen: Seen = field(default_factory=Seen)
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    bookings: dict[str, Sequence[str]] = field(default_factory=dict)  # id → ticket ids
    steady: set[str] = field(default_factory=set)  # subjects whose socket was never cut
    arrivals: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))  # one a fan
    entries: dict[str, str] = field(default_factory=dict)  # subject → entry in the lobby
    receipts: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)  # bookings that did not settle
    guests: Guests | None = None

    def note(self, outcome: Outcome) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


class Sale:
    """The event a crowd comes for; its plan is read once for all fans."""

    def __init__(self, base_url: str, event_id: str) -> None:
        self.base_url, self.event_id = base_url, event_id
        self.path = f"/events/{event_id}"
        self._reading = asyncio.Lock()
        self._rows: list[list[int]] | None = None

    async def rows(self, browser: Browser) -> list[list[int]]:
        async with self._reading:
            if self._rows is None:
                plan = await browser.call("GET", f"{self.path}/plan")
                self._rows = [
                    [seat[0] for seat in row["seats"]]
                    for section in plan["sections"]
                    for row in section["rows"]
                ]
            return self._rows


async def live(sale: Sale, wish: Wish, diary: Diary, rng: random.Random) -> Outcome:
    """One fan's whole visit. The outcome is in the diary too."""
    async with Browser(sale.base_url, diary.seen, rng) as browser:
        fan = _Fan(sale, browser, wish, diary, rng)
        try:
            outcome = await fan.visit()
        except Refused as refusal:
            outcome = Outcome.REFUSED
            server_gone = refusal.code == "no_answer"
        else:
            server_gone = False
        if diary.guests is not None and not server_gone:
            diary.guests.went(browser.subject)
        if browser.steady:
            diary.steady.add(browser.subject)
    diary.note(outcome)
    return outcome


class _Fan:
    def __init__(
        self, sale: Sale, browser: Browser, wish: Wish, diary: Diary, rng: random.Random
    ) -> None:
        self._sale, self._browser, self._wish = sale, browser, wish
        self._diary, self._rng = diary, rng

    async def visit(self) -> Outcome:
        state = await self._join()
        if state["state"] in {"lobby", "drawing", "waiting"}:
            await self._wait()
            state = {"state": "called"}
        if state["state"] == "called":
            if not self._wish.shows_up:
                return Outcome.NO_SHOW
            await self._browser.call("POST", f"{self._sale.path}/queue/accept")
        try:
            return await self._shop()
        finally:
            await self._browser.call("POST", f"{self._sale.path}/queue/leave")

    async def _join(self) -> Mapping[str, Any]:
        diary = self._diary
        try:
            state: Mapping[str, Any] = await self._browser.call(
                "POST", f"{self._sale.path}/queue", {}
            )
        finally:
            diary.arrivals.release()
        if diary.guests is not None:
            diary.guests.came(self._browser.subject)
        if "entryId" in state:
            diary.entries[self._browser.subject] = state["entryId"]
            diary.receipts.append(state["receipt"])
        return state

    async def _wait(self) -> None:
        """Until it is this fan's turn: the socket tells, as it tells a page."""
        async with aclosing(self._browser.frames(f"{self._sale.path}/queue/socket")) as frames:
            async for state in frames:
                if state.get("state") in {"called", "admitted"}:
                    return
                if state.get("state") == "none":  # the call lapsed before this fan heard of it
                    raise Refused("not_called", state)

    async def _shop(self) -> Outcome:
        hold = await self._hold()
        if hold is None:
            return Outcome.SOLD_OUT
        await asyncio.sleep(self._wish.think_s)
        if not self._wish.buys:
            await self._browser.call("DELETE", f"{self._sale.path}/holds/{hold['holdId']}")
            return Outcome.LET_GO
        await self._buy(hold)
        return Outcome.BOUGHT

    async def _hold(self) -> Mapping[str, Any] | None:
        """A hold of free seats; None when none are left. Others are often faster: look again."""
        for _ in range(MAX_TRIES_FOR_SEATS):
            states = (await self._browser.call("GET", f"{self._sale.path}/seats"))["states"]
            rows = await self._sale.rows(self._browser)
            seats = choose_seats(states, rows, self._wish.tickets, self._rng.randrange)
            if not seats and nothing_may_come_back(states):
                return None
            if not seats:
                await asyncio.sleep(RETURNS_PAUSE_S * self._rng.uniform(0.5, 1.5))
                continue
            tickets = [ticket_id(self._sale.event_id, seat) for seat in seats]
            body = {"holdId": new_id("hd"), "ticketIds": tickets}
            try:
                hold: Mapping[str, Any] = await self._browser.call(
                    "POST", f"{self._sale.path}/holds", body
                )
            except Refused as refusal:
                if refusal.code != "seats_taken":
                    raise
            else:
                return hold
        return None

    async def _buy(self, hold: Mapping[str, Any]) -> None:
        body = {"holdId": hold["holdId"], "email": EMAIL, "paymentDetails": PAYMENT}
        path = f"/bookings/{self._sale.event_id}"
        made = await self._browser.call("POST", path, body, key=new_id("ik"))
        booking = await self._settled(made["bookingId"])
        if booking is None:
            self._diary.unfinished.append(made["bookingId"])
            return
        tickets = [ticket["ticketId"] for ticket in booking["tickets"]]
        self._diary.bookings[booking["bookingId"]] = tickets

    async def _settled(self, booking_id: str) -> Mapping[str, Any] | None:
        """The booking once every ticket has its entry code; None when that takes too long."""
        for _ in range(MAX_LOOKS_AT_BOOKING):
            booking: Mapping[str, Any] = await self._browser.call("GET", f"/bookings/{booking_id}")
            coded = all(ticket.get("entryCode") for ticket in booking["tickets"])
            if booking["status"] == "confirmed" and coded:
                return booking
            await asyncio.sleep(LOOK_PAUSE_S)
        return None
