"""Python's garbage collector in a process that holds many connections."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 20_000  # made and kept, before the collector looks at them; 700 by default


def spare_the_collector() -> None:
    """What is there at the start stays; to look through it again and again takes time from fans.

    A connection of the hub is in no cycle, so that young objects may be many before it is worth
    a look.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
