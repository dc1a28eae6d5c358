"""How many connections may wait to be accepted by a node that serves."""

import asyncio
import socket
import struct
from pathlib import Path

import uvicorn

from app.serve.node import server_config
from app.serve.sockets import BACKLOG, listen
from tests.waiting import until

SOMAXCONN = int(Path("/proc/sys/net/core/somaxconn").read_text())
TCP_INFO_BYTES = 104
AT_MOST_OFFSET = 28  # tcpi_sacked: of a listening socket, the length of its queue


async def test_a_serving_node_keeps_the_queues_it_was_given(node):
    with listen("127.0.0.1", 0, slots=1) as (queues,):
        server = uvicorn.Server(server_config(node, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=queues))
        await until(lambda: server.started)
        lengths = [length_of(queue) for queue in queues]
        server.should_exit = True
        await serving
    assert lengths == [min(BACKLOG, SOMAXCONN)] * len(queues)


def length_of(queue: socket.socket) -> int:
    info = queue.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    return int(struct.unpack_from("I", info, AT_MOST_OFFSET)[0])
