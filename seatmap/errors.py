"""What can be wrong with taking seats.

AppError
├── SeatsTaken       some of the seats are held or sold; lists which
├── TooManyTickets   more than the event allows a fan
├── NoHold           the fan has no such hold
└── HoldEnded        it ended, was replaced, or a booking is taking it
"""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import AppError
from core.ids import ticket_id


class SeatsTaken(AppError):
    code = "seats_taken"
    title = "Somebody was faster: not all of these seats are free any more. Choose others."

    def __init__(self, event_id: str, seats: Sequence[int]) -> None:
        super().__init__(f"{event_id}: {', '.join(map(str, seats))}")
        self.tickets = [ticket_id(event_id, seat) for seat in seats]

    def detail(self) -> dict[str, object]:
        return {"tickets": self.tickets}


class TooManyTickets(AppError):
    code = "too_many_tickets"
    title = "That is more tickets than one person may have for this event."

    def __init__(self, max_tickets: int) -> None:
        super().__init__(f"more than {max_tickets}")
        self.max_tickets = max_tickets

    def detail(self) -> dict[str, object]:
        return {"maxTickets": self.max_tickets}


class NoHold(AppError):
    code = "no_hold"
    title = "You hold no seats here. Choose some on the map."


class HoldEnded(AppError):
    code = "hold_ended"
    title = "Your hold on these seats has ended or was replaced. Choose seats again."
