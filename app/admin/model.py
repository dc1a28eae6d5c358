"""What an operator may change, as it comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel, to_snake

from core.edge import Body
from waiting_room.interventions import Fan
from waiting_room.model import RoomSettings

MAX_PER_MINUTE = 1_000_000
MAX_ACTIVE = 1_000_000
MAX_REASON_CHARACTERS = 200
MAX_MESSAGE_CHARACTERS = 280
MIN_ACCEPT_MS, MAX_ACCEPT_MS = 5_000, 600_000
MIN_SHOP_MS, MAX_SHOP_MS = 60_000, 3_600_000
MIN_GRACE_MS, MAX_GRACE_MS = 10_000, 3_600_000
MAX_INSTANT_MS = 253_402_300_799_999  # the end of the year 9999


MAX_PLACE = 10**12
SUBJECT = r"^[a-z]{2}_[a-z0-9_]{1,40}$"
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
# Where the API's name is not the setting's in camelCase.
RENAMED = {"opensAt": "opens_at_ms", "lobbyOpensAt": "lobby_opens_at_ms"}


class RoomChange(Body):
    """Any of these; what is left out stays as it is: the defaults here are never used.

    No field takes null, so that a client's missing value can't pass for "leave it".
    """

    mode: Literal["off", "auto", "on"] = "on"
    per_minute: int = Field(0, ge=0, le=MAX_PER_MINUTE)
    max_active: int = Field(0, ge=0, le=MAX_ACTIVE)
    accept_ms: int = Field(MIN_ACCEPT_MS, ge=MIN_ACCEPT_MS, le=MAX_ACCEPT_MS)
    shop_ms: int = Field(MIN_SHOP_MS, ge=MIN_SHOP_MS, le=MAX_SHOP_MS)
    grace_ms: int = Field(MIN_GRACE_MS, ge=MIN_GRACE_MS, le=MAX_GRACE_MS)
    paused: bool = False
    pause_reason: str = Field("", max_length=MAX_REASON_CHARACTERS, pattern=PRINTABLE)
    opens_at: int = Field(0, ge=0, le=MAX_INSTANT_MS, description="Unix ms")
    message: str = Field("", max_length=MAX_MESSAGE_CHARACTERS, pattern=PRINTABLE)
    intake: Literal["open", "closed", "draining"] = "open"
    stopped: bool = False
    draw: bool = True
    lobby_opens_at: int = Field(0, ge=0, le=MAX_INSTANT_MS, description="Unix ms; 0: at once")

    def changes(self) -> dict[str, object]:
        """What was given, by the names of the room's settings."""
        return named({to_camel(name): getattr(self, name) for name in self.model_fields_set})


class FanNamed(Body):
    """A fan, by id or by the place the fan has or had."""

    subject: str | None = Field(None, pattern=SUBJECT)
    place: int | None = Field(None, ge=1, le=MAX_PLACE)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.subject is None) == (self.place is None):
            raise ValueError("send subject or place, and not both")
        return self

    def fan(self) -> Fan:
        return Fan(self.subject, self.place)


class Revocation(FanNamed):
    reason: str = Field(min_length=1, max_length=MAX_REASON_CHARACTERS, pattern=PRINTABLE)


class Nothing(Body):
    """An action that needs no more than its address."""


def named(shown: Mapping[str, object]) -> dict[str, object]:
    """Settings of the API, and of the audit log, by their names in `RoomSettings`."""
    return {RENAMED.get(name) or to_snake(name): value for name, value in shown.items()}


def shown(room: RoomSettings, names: Iterable[str]) -> dict[str, object]:
    """The other way: settings of `room` as the API names them."""
    back = {name: given for given, name in RENAMED.items()}
    return {back.get(name) or to_camel(name): getattr(room, name) for name in names}
