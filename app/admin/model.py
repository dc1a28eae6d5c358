"""What an operator may change, as it comes in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.edge import Body

MAX_PER_MINUTE = 1_000_000
MAX_ACTIVE = 1_000_000
MAX_REASON_CHARACTERS = 200
MIN_ACCEPT_MS, MAX_ACCEPT_MS = 5_000, 600_000
MIN_SHOP_MS, MAX_SHOP_MS = 60_000, 3_600_000
MAX_INSTANT_MS = 253_402_300_799_999  # the end of the year 9999


class RoomChange(Body):
    """Any of these; what is left out stays as it is: the defaults here are never used.

    No field takes null, so that a client's missing value can't pass for "leave it".
    """

    mode: Literal["off", "auto", "on"] = "on"
    per_minute: int = Field(0, ge=0, le=MAX_PER_MINUTE)
    max_active: int = Field(0, ge=0, le=MAX_ACTIVE)
    accept_ms: int = Field(MIN_ACCEPT_MS, ge=MIN_ACCEPT_MS, le=MAX_ACCEPT_MS)
    shop_ms: int = Field(MIN_SHOP_MS, ge=MIN_SHOP_MS, le=MAX_SHOP_MS)
    paused: bool = False
    pause_reason: str = Field("", max_length=MAX_REASON_CHARACTERS, pattern=r"^[^\x00-\x1f]*$")
    opens_at: int = Field(0, ge=0, le=MAX_INSTANT_MS, description="Unix ms")

    def changes(self) -> dict[str, object]:
        """What was given, by the names of the room's settings."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "opens_at" in given:
            given["opens_at_ms"] = given.pop("opens_at")
        return given
