"""Whoever reaches FPM's port may say anything: PID 1 does not notice, visitors are served, and rolls go on."""

import contextlib
import random
import socket
import struct

import pytest

import support
from clients import HalfOpen, fpm_connect, fpm_post, fpm_request, release_of_check
from support import SECONDS, wait_until

RESET = struct.pack("ii", 1, 0)
MANY = 100


def record(kind, length, version=1, content=b""):
    """The head of a FastCGI record, and what follows it."""
    return struct.pack(">BBHHBx", version, kind, 1, length, 0) + content


# What a peer says; nothing: a connection and silence.
SAYINGS = {
    "nothing": b"",
    "random bytes": random.Random(7).randbytes(4096),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "half a head": record(1, 8)[:5],
    "a record that is longer than what comes": record(1, 65535, content=b"x" * 100),
    "another version of the protocol": record(1, 8, version=99, content=b"\0" * 8),
    "an unknown kind": record(200, 8, content=b"\xff" * 8),
    "parameters that are longer than their record": record(1, 8, content=struct.pack(">HB5x", 1, 0)) +
    record(4, 8, content=b"\xff\xff\xff\xff\xff\xff\xff\xff"),
    "parameters without a beginning": record(4, 4, content=b"\1\1ab"),
    "a body without end": fpm_request("/check.php")[:-100],
    "a request twice": fpm_request("/check.php") * 2,
    "twinit's own source": None,
}


@pytest.fixture(scope="module")
def site():
    """One for all of them: what one peer has said must not cost the next."""
    found = support.Site(env=support.QUICK_STOP)
    try:
        found.start()
        yield found
    finally:
        found.end()


def say(address, saying):
    """A connection that has said it and stays."""
    client = socket.socket()
    client.settimeout(SECONDS)
    if saying is None:
        client.bind(("127.66.83.1", 0))
        saying = b"\xff" * 64
    client.connect(address)
    with contextlib.suppress(ConnectionError):  # FPM may have had enough before the end
        client.sendall(saying)
    return client


def assert_well(site, pid):
    """PID 1 is what it was, answers, and the site serves."""
    assert site.task.pid == pid
    assert site.task.status_json()["healthy"]
    assert release_of_check(fpm_post(site.task.address, "/check.php")) in (1, 2)


@pytest.mark.parametrize("saying", SAYINGS)
def test_whatever_a_peer_says_costs_only_his_connection(site, saying):
    pid = site.task.pid
    with contextlib.ExitStack() as peers:
        for _ in range(4):
            peers.enter_context(say(site.task.address, SAYINGS[saying]))
        assert_well(site, pid)


def test_a_roll_goes_on_through_silent_half_open_and_broken_connections(site):
    pid, rolls = site.task.pid, site.app()["rolls"]
    with contextlib.ExitStack() as peers:
        for _ in range(10):
            peers.enter_context(contextlib.closing(HalfOpen(site.task.address)))
        for number in range(MANY):
            peer = say(site.task.address, random.Random(number).randbytes(number))
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            peer.close()
        for _ in range(10):
            peers.enter_context(fpm_connect(site.task.address))
        site.hup()
        wait_until("the roll is over, done", SECONDS * 2, site.app,
                   lambda app: app["rolls"] > rolls and app["last_roll"] == "done")
        assert_well(site, pid)
