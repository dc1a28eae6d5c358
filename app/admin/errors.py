"""What the operator API refuses."""

from __future__ import annotations

from core.errors import AppError


class NotOperator(AppError):
    code = "not_operator"
    title = "This needs the admin token, or a console session. `onsale serve` prints a link to one."
