"""Sales as tests read them: from what a history keeps, and from memory."""

from waiting_room.history.lines import export, read
from waiting_room.history.model import Recording, Sale
from waiting_room.ranks.index import RankIndex


async def exported(recording: Recording) -> bytes:
    return b"".join([some async for some in export(recording)])


async def kept(history, event_id) -> Sale:
    """As its exported log says it."""
    async with history.recording(event_id) as recording:
        return read((await exported(recording)).splitlines())


async def lines_of(sale: Sale) -> list[bytes]:
    return (await exported(recording_of(sale))).splitlines(keepends=True)


def recording_of(sale: Sale) -> Recording:
    turns = list(enumerate(sale.turns))
    accepts = [(n, t.accepted_at_ms) for n, t in turns if t.accepted_at_ms is not None]
    ends = [(n, t.ends_at_ms, t.reason or "time") for n, t in turns if t.ends_at_ms is not None]
    called = RankIndex()
    called.set([turn.place for turn in sale.turns], True)
    return Recording(
        event_id=sale.event_id,
        accept_ms=sale.accept_ms,
        shop_ms=sale.shop_ms,
        called=called,
        ticks=_each(sale.ticks),
        turns=_each(turns),
        accepts=_each(sorted(accepts, key=lambda accept: accept[1])),
        ends=_each(sorted(ends, key=lambda end: end[1])),
    )


async def _each(values):
    for value in values:
        yield value
