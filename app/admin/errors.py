"""What the operator API refuses."""

from __future__ import annotations

from core.errors import AppError


class NotOperator(AppError):
    code = "not_operator"
    title = "This needs the admin token or a console session. `onsale console` prints a link."


class NothingToUndo(AppError):
    code = "nothing_to_undo"
    title = "Nobody has changed this yet, so there is nothing to undo."
