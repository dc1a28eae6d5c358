"""What a shop elsewhere, or a fan on the way to it, may be told.

What a shop may be told is a 403 for a reason: nginx's auth_request passes 401 and 403 on, and
takes anything else for a failure.
"""

from __future__ import annotations

from core.errors import AppError


class ReturnRefused(AppError):
    code = "return_refused"
    title = "The shop's address is not on this event's list. Go back to the shop and tell them."


class AtShop(AppError):
    code = "at_shop"
    title = "Your turn is in use at the shop already. Go on there in the browser you began with."


class CodeInvalid(AppError):
    code = "code_invalid"
    title = "The exchange code is not one of ours, or a newer one took its place."


class CodeOtherEvent(AppError):
    """Nothing was used up: the shop of the right event may still exchange it."""

    code = "code_other_event"
    title = "The exchange code is for another event. This event's queue gives one of its own."


class CodeExpired(AppError):
    code = "code_expired"
    title = "The exchange code was not used in time. The event's queue gives another."


class PassExchanged(AppError):
    code = "pass_exchanged"
    title = "The pass of this admission was given out already, to whoever came first."
