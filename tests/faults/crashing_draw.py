"""A node that draws and dies by SIGKILL at a named point. Run by test_draw_kill.py.

python crashing_draw.py POINT EVENT DATABASE_URL REDIS_URL
"""

import asyncio
import os
import signal
import sys

from core.db import Db
from core.redis import connect
from core.signing import Keys
from waiting_room.draw import service
from waiting_room.draw.rows import DrawRows
from waiting_room.draw.store import DrawStore
from waiting_room.service import WaitingRoom

POINTS = {
    "closed": (DrawStore, "close", 1),
    "read": (DrawStore, "lines", 1),
    "fixed": (DrawRows, "fix", 1),
    "ordered": (DrawRows, "order", 1),
    "first chunk": (DrawStore, "lay", 1),
    "third chunk": (DrawStore, "lay", 3),
    "laid": (DrawRows, "laid", 1),
    "done": (DrawStore, "done", 1),
}


def arm(point):
    owner, name, nth = POINTS[point]
    real, left = getattr(owner, name), [nth]

    async def dies(*args, **named):
        answer = await real(*args, **named)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, dies)


async def main(point, event_id, database_url, redis_url):
    service.LAY_CHUNK = 7  # many chunks of few fans
    db = await Db.open(database_url)
    async with connect(redis_url) as redis:
        room = WaitingRoom.build(redis, db, Keys("s" * 32))
        arm(point)
        await room.draws.run(event_id)


asyncio.run(main(*sys.argv[1:]))
