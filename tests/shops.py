"""What tests of shops elsewhere share: a sale that a shop is allowed for, and a fan's code."""


async def sale_for(make_sale, db, return_url):
    """An event whose fans go straight in and may be sent back to a shop."""
    event_id = await make_sale(mode="auto", per_minute=60_000)
    await db.execute("insert into shop values ($1, $2)", event_id, [return_url])
    return event_id


async def code_for(fan, room, event_id, return_url):
    """The code that a fan brings along, at their turn."""
    await fan.post(f"{room}/events/{event_id}/queue", json={})
    body = {"return": return_url}
    reply = await fan.post(f"{room}/events/{event_id}/queue/return", json=body)
    return reply.json()["location"].partition("onsale_code=")[2]
