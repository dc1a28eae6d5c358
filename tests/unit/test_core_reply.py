"""A reply whose head can't be sent: what was taken for its client is given back."""

import pytest

from core.live.channel import Channel
from core.live.hub import Hub
from core.live.reply import StreamReply
from core.live.way_out import EXTENSION


class WayOut:
    """Of a server, for a client that is there to the end."""

    def before_head(self):
        pass

    def take(self, hub, connection):
        return True


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_client_whose_reply_fails_is_gone_once(method):
    left = []
    reply = StreamReply(Hub(), Channel(1), None, on_closed=left.append)
    scope = {"type": "http", "method": method, "extensions": {EXTENSION: WayOut()}}

    async def send(message):
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await reply(scope, None, send)
    assert left == [reply.connection]
