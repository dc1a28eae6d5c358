"""A route's way out of uvicorn, and with which versions of uvicorn there is one.

Where there is none, streams and sockets are served the ASGI way. Nothing of uvicorn's inside is
imported for that: another version may have moved it.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn

from core.refusals import Refusals

if TYPE_CHECKING:
    from core.live.connection import Connection
    from core.live.hub import Hub

log = logging.getLogger(__name__)

TESTED = ("0.54",)
EXTENSION = "onsale.live"  # in the ASGI scope: a WayOut


class WayOut(Protocol):
    """What a connection of ours offers a route, in `scope["extensions"]`."""

    def before_head(self) -> None:
        """Call it before the head of the reply is sent: no length is known, no chunks wanted."""

    def take(self, hub: Hub, connection: Connection) -> bool:
        """Give the connection to the hub. False: the client has gone meanwhile."""


def protocols(refused: Refusals | None = None) -> dict[str, Any]:
    """`http=` and `ws=` for uvicorn's Config: ours, or its own where ours were not tested.

    `refused` counts requests that took too long or were too long to arrive.
    """
    if uvicorn.__version__.rpartition(".")[0] in TESTED:
        # Not before: it imports what a version that was not tested may not have.
        from core.live.under_uvicorn import HubHttpProtocol, HubSocketProtocol

        return {"http": partial(HubHttpProtocol, refused=refused), "ws": HubSocketProtocol}
    log.warning(
        "uvicorn %s was not tested with the hub: streams and sockets go the ASGI way, at several"
        " times the cost. Tested: %s",
        uvicorn.__version__,
        ", ".join(TESTED),
    )
    return {"http": "httptools", "ws": "websockets-sansio"}
