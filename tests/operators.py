"""What tests of the operators' side share: an operator, a fan's open page, waiting for a state."""

import asyncio

import httpx
import orjson
from websockets.frames import Opcode

from tests.live_clients import Pulled

ADMIN_TOKEN = "admin-token-of-the-tests"
BEARER = {"authorization": f"Bearer {ADMIN_TOKEN}"}


class Operator:
    """An operator of one event, who reads the version before each change."""

    def __init__(self, client: httpx.AsyncClient, event_id: str) -> None:
        self.client, self.event_id = client, event_id
        self.path = f"/admin/events/{event_id}"

    async def room(self):
        return await self.get("admission")

    async def audit(self):
        return await self.get("audit")

    async def get(self, name):
        return (await self.client.get(f"{self.path}/{name}", headers=BEARER)).json()

    async def post(self, name, **body):
        return await self.client.post(f"{self.path}/{name}", json=body, headers=BEARER)

    async def change(self, **settings):
        reply = await self.client.patch(
            f"{self.path}/admission", json=settings, headers=await self._match()
        )
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def undo(self):
        path = f"{self.path}/admission/undo"
        return await self.client.post(path, json={}, headers=await self._match())

    async def _match(self):
        return BEARER | {"if-match": f'"{(await self.room())["version"]}"'}


class Tab:
    """A fan's open page on a node."""

    def __init__(self, node, event_id, fan):
        self.hub, self.event_id, self.fan = node.services.waiting_room.hub, event_id, fan
        self.pulled = Pulled.socket(node.live)

    async def open(self):
        await self.hub.connect(self.event_id, self.fan, self.pulled.connection)
        return self

    def close(self):
        self.hub.disconnect(self.event_id, self.fan, self.pulled.connection)

    async def told(self, **wanted):
        """The first frame that says all of it."""
        async with asyncio.timeout(20):
            while True:
                texts = [f for f in await self.pulled.frames() if f.opcode is Opcode.TEXT]
                for frame in texts:  # a ping now and then is none
                    said = orjson.loads(frame.data)
                    if wanted.items() <= said.items():
                        return said


async def join(client, event_id):
    return await client.post(f"/events/{event_id}/queue", json={})


async def until(ask, fits, within_s=20):
    """What `ask` says as soon as it fits."""
    async with asyncio.timeout(within_s):
        while True:
            if fits(said := await ask()):
                return said
            await asyncio.sleep(0.02)
