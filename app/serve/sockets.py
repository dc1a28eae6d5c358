"""The sockets a node listens on.

Each worker has sockets of its own, all at the same address (SO_REUSEPORT): the kernel spreads
connections over them as they come. Sharing one socket would not do. The kernel wakes
whoever waits for it last, so one worker would end up with most of the connections, and here they
live for hours. The supervisor makes the sockets and keeps them open, so that a worker that dies
leaves its queue to the next one; see supervisor.py.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

from config.settings import BadSettings

log = logging.getLogger(__name__)

MAX_FILES = 131_072  # what we raise the soft limit to, if the hard one allows it
SPARE_FILES = 200  # of a node, beside its clients: stores, logs, libraries
BACKLOG = 4096  # connections that wait to be accepted; the kernel cuts it to net.core.somaxconn
# Sockets of one slot, each with such a queue. All clients of a node may come back in one moment,
# three times as many as one queue holds; who finds it full tries again after 1, 3, 7, 15 s.
QUEUES = 4

# A peer that acknowledges nothing for so long is dead. Frames and signs of life go to every stream
# and socket, so that this finds phones that left without a word, with no timer of ours.
PEER_TIMEOUT_S = 30.0
# Wake nobody for a connection before its first byte: browsers open some just in case, scanners and
# probes send nothing. After so long the kernel hands it over all the same.
DEFER_ACCEPT_S = 5
# Not set: SO_SNDBUF. It caps what a stalled stream costs, and whoever takes the connection over
# sets it then; plans of 600 kB leave through the same port and want large buffers.


@contextlib.contextmanager
def listen(
    host: str, port: int, *, slots: int, peer_timeout_s: float = PEER_TIMEOUT_S
) -> Iterator[list[list[socket.socket]]]:
    """QUEUES listening sockets a slot, all at one address; port 0 finds a free one.

    Raises BadSettings, also when the port is taken by another server of ours.
    """
    with contextlib.ExitStack() as undo:
        try:
            # Alone at first: sockets that share an address would join another server's unasked.
            with _bound(host, port, shared=False) as alone:
                port = alone.getsockname()[1]
            made = [
                [undo.enter_context(_bound(host, port, shared=True)) for _ in range(QUEUES)]
                for _ in range(slots)
            ]
            for listener in itertools.chain(*made):
                _set_for_all_it_accepts(listener, peer_timeout_s)
                listener.listen(BACKLOG)
        except OSError as exc:
            why = exc.strerror or exc
            raise BadSettings(f"cannot listen: {why}. ONSALE_PORT sets another port") from exc
        yield made


@contextlib.contextmanager
def listen_inside(folder: Path, *, slots: int) -> Iterator[list[tuple[Path, socket.socket]]]:
    """A Unix socket a slot, at which workers ask each other for what they count."""
    with contextlib.ExitStack() as undo:
        made = []
        for slot in range(slots):
            listener = undo.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path := folder / f"worker-{slot}"))
            listener.listen()
            made.append((path, listener))
        yield made


def allow_files(max_connections: int) -> None:
    """Raise the limit of open files, which is often 1,024 at first; children inherit it.

    A connection beyond the limit would not be refused, but wait unseen in the kernel's queue.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft == resource.RLIM_INFINITY:
        return
    if soft < wanted:
        soft = wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < max_connections + SPARE_FILES:
        log.warning(
            "only %d open files are allowed, too few for ONSALE_MAX_CONNECTIONS=%d: raise the"
            " hard limit (LimitNOFILE=, ulimits) or lower the setting",
            soft,
            max_connections,
        )


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after a restart, at once
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener


def _set_for_all_it_accepts(listener: socket.socket, peer_timeout_s: float) -> None:
    """Connections inherit it from their listener (tcp(7)): no call for each."""
    options = {
        "TCP_USER_TIMEOUT": round(peer_timeout_s * 1000),
        "TCP_DEFER_ACCEPT": DEFER_ACCEPT_S,
    }
    for name, value in options.items():
        if (option := getattr(socket, name, None)) is not None:  # Linux has them
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
