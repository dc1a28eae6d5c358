"""What a shop elsewhere, or a fan on the way to it, may be told.

Codes are 403 for a reason: nginx's auth_request passes 401 and 403 on, and nothing else.
"""

from __future__ import annotations

from core.errors import AppError


class ReturnRefused(AppError):
    code = "return_refused"
    title = "The shop's address is not on this event's list. Go back to the shop and tell them."


class CodeInvalid(AppError):
    code = "code_invalid"
    title = "The exchange code is not one of ours, or a newer one took its place."


class CodeExpired(AppError):
    code = "code_expired"
    title = "The exchange code was not used in time. The event's queue gives another."


class PassExchanged(AppError):
    code = "pass_exchanged"
    title = "This turn is in use already: its pass went to the browser that came first."
