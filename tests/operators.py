"""An operator, as tests of that side need one."""

import httpx

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


async def join(client, event_id):
    return await client.post(f"/events/{event_id}/queue", json={})
