"""What the sandbox payment gateway wrote into its book."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def movements(ledger: Path, booking_id: str) -> list[str]:
    """All that ever happened to the booking's payment, in order."""
    book = sqlite3.connect(ledger)
    rows = book.execute(
        "select what from movement join payment using (payment_id) where key = ?"
        " order by movement.rowid",
        (booking_id,),
    ).fetchall()
    book.close()
    return [what for (what,) in rows]
