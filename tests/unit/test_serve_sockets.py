"""The listening sockets: what connections inherit, and who may share an address."""

import itertools
import resource
import select
import socket

import pytest

from app.serve.sockets import MAX_FILES, QUEUES, allow_files, listen
from config.settings import BadSettings


def test_an_accepted_connection_inherits_what_was_set_on_the_listener():
    with listen("127.0.0.1", 0, slots=1, peer_timeout_s=1.5) as (queues,):
        with socket.create_connection(queues[0].getsockname()) as client:
            client.sendall(b"x")  # before its first byte nobody hears of it
            reached, _, _ = select.select(queues, [], [], 5)
            accepted, _ = reached[0].accept()
        with accepted:
            timeout = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert timeout == 1_500  # ms


def test_all_queues_of_all_slots_share_one_address_and_connections_come_to_each():
    with listen("127.0.0.1", 0, slots=3) as slots:
        queues = list(itertools.chain(*slots))
        (address,) = {queue.getsockname() for queue in queues}
        clients = [socket.create_connection(address) for _ in range(300)]
        for client in clients:
            client.sendall(b"x")
        try:
            assert len(queues) == 3 * QUEUES
            assert min(map(accept_all, queues)) > 0
        finally:
            for client in clients:
                client.close()


@pytest.mark.parametrize("slots", [1, 2])
def test_no_slot_joins_the_sockets_of_another_server(slots):
    with listen("127.0.0.1", 0, slots=2) as (first, _):
        port = first[0].getsockname()[1]
        with pytest.raises(BadSettings, match="in use"), listen("127.0.0.1", port, slots=slots):
            pass


def test_an_address_that_is_not_this_machines_is_told():
    with (
        pytest.raises(BadSettings, match="cannot listen: Cannot assign"),
        listen("192.0.2.1", 0, slots=1),  # reserved for documentation, RFC 5737
    ):
        pass


@pytest.fixture
def file_limit():
    """(soft, hard) of this process, put back after the test. A hard limit can't be raised again,
    so that tests change the soft one alone."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_low_soft_limit_of_open_files_is_raised(file_limit, caplog):
    _, hard = file_limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    allow_files(1_000)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, MAX_FILES), hard)
    assert not caplog.records


def test_more_connections_than_files_is_said_at_the_start(file_limit, caplog):
    allow_files(10_000_000)
    assert "ONSALE_MAX_CONNECTIONS=10000000" in caplog.text


def accept_all(listener: socket.socket) -> int:
    listener.setblocking(False)
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1
