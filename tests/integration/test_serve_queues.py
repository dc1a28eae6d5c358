"""The queues of connections that wait to be accepted: how long they are, and who takes them."""

import asyncio
import select
import socket
import struct
from pathlib import Path

import uvicorn

from app.serve.node import server_config
from app.serve.orphans import Orphans, share_line
from app.serve.sockets import BACKLOG, listen
from tests.waiting import LIMIT_S, until

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


class Greeter(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"here")
        transport.close()


async def test_a_worker_answers_whoever_waits_in_the_queues_it_was_told_to_take():
    ours, theirs = socket.socketpair()
    with listen("127.0.0.1", 0, slots=1) as (queues,), ours:
        mine, taken, *_ = queues
        client = waiting_in(taken)
        orphans = Orphans([queue.dup() for queue in queues], theirs)
        orphans.start(Greeter)
        ours.sendall(share_line([queues.index(taken)]))
        assert await asyncio.to_thread(client.recv, 100) == b"here"

        ours.sendall(share_line([]))
        await until(lambda: not orphans.taken)
        left = waiting_in(taken)
        ours.sendall(share_line([queues.index(mine)]))
        await until(lambda: orphans.taken)
        await orphans.stop()
        await orphans.stop()
        accepted, _ = await asyncio.get_running_loop().sock_accept(taken)
        assert accepted.getpeername() == left.getsockname(), "given back, and nobody else has it"
        for end in (accepted, client, left):
            end.close()


def waiting_in(queue: socket.socket) -> socket.socket:
    """A client whose connection the kernel has put there: it asks until it is."""
    queue.setblocking(False)
    while True:
        client = socket.create_connection(queue.getsockname())
        client.sendall(b"x")  # before its first byte nobody hears of it
        if select.select([queue], [], [], 0)[0]:
            client.settimeout(LIMIT_S)
            return client
        client.close()


def length_of(queue: socket.socket) -> int:
    info = queue.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    return int(struct.unpack_from("I", info, AT_MOST_OFFSET)[0])
