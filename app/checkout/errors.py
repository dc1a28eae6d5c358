"""What can be wrong with a hold or a booking, besides the seats themselves (`seatmap.errors`).

AppError
├── OtherEvent        a ticket of another event
├── SameTicketTwice
├── HoldDiffers       ticketIds are not those of the hold
├── EventClosed       cancelled, or it has begun
├── KeyMissing, KeyReused, KeyInUse    the Idempotency-Key
└── PaymentDeclined   nothing was charged; the seats are free again
"""

from __future__ import annotations

from core.errors import AppError


class OtherEvent(AppError):
    code = "other_event"
    title = "One of these tickets is for another event."


class SameTicketTwice(AppError):
    code = "same_ticket_twice"
    title = "The same ticket is named twice."


class HoldDiffers(AppError):
    code = "hold_differs"
    title = "These tickets are not the ones you hold. Send the hold's id, or its very tickets."


class EventClosed(AppError):
    code = "event_closed"
    title = "Tickets for this event are no longer sold."


class KeyMissing(AppError):
    code = "key_missing"
    title = "Send an Idempotency-Key, so that a repeated call can't buy twice."


class KeyReused(AppError):
    code = "key_reused"
    title = "This Idempotency-Key belongs to another request. Use a new one."


class KeyInUse(AppError):
    code = "key_in_use"
    title = "The first call with this Idempotency-Key is still under way."
    retry = True
    retry_after_s = 2


class PaymentDeclined(AppError):
    code = "payment_declined"
    title = "The payment was declined. Nothing was charged, and the seats are free again."
