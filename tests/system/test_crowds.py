"""Fifty clients of the control socket at once that never say what a command says: nobody else notices.

SEED=... repeats the bytes of the garbage.
"""

import contextlib
import errno
import json
import os
import random
import socket
import time
from pathlib import Path

import pytest

from container import Container, children
from control import answers, changed, connect, is_well, request
from footprint import descriptors

SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 1 << 30)
MANY = 50
FLOOD = 10_000_000
CALM = 1.0  # seconds in which nothing happens
SPIN = 0.5  # so long awake in them would be a spin
COMMANDS = ("status", "status --json", "list", "health", "restart")


def silent(client, _):
    """Says nothing."""


def half(client, _):
    """Says half of what a command says."""
    client.send(request("restart")[:len(request("restart")) // 2])


def flood(client, _):
    """As much as the socket takes, in messages as large as it takes, up to 10 MB; returns when it is sent away."""
    client.setsockopt(socket.SOL_SOCKET, 32, FLOOD)  # SO_SNDBUFFORCE
    size, sent = FLOOD, 0
    while sent < FLOOD:
        try:
            sent += client.send(bytes(size))
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM):
                return
            size //= 2


def garbage(client, rng):
    """Random bytes, some of them where a request has its fields."""
    message = rng.randbytes(rng.randrange(1, 4096))
    if rng.random() < 0.5:
        fields = {"command": rng.randrange(7, 1 << 32), "force": rng.randrange(256), "replica": rng.getrandbits(32)}
        message = changed("status", name=rng.randbytes(64), directory=rng.randbytes(1024), **fields)
    client.send(message)


def begin_to_read(words):
    """Asks, reads the beginning of the answer, and leaves the rest."""
    def ask(client, _):
        client.send(request(*words.split()))
        with contextlib.suppress(ConnectionResetError):
            client.recv(1)
    ask.__doc__ = "Asks %s and leaves in the middle of the answer." % words
    return ask


class Crowd:
    """Clients that do the same; those who are sent away come again with come()."""

    def __init__(self, c, behave):
        self._c, self._behave, self._rng = c, behave, random.Random(SEED)
        self.clients = []

    def come(self):
        """All of them, anew."""
        self.leave()
        self.clients = [connect(self._c) for _ in range(MANY)]
        for client in self.clients:
            # Who found no place, or lost it to somebody else, cannot speak.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._behave(client, self._rng)

    def leave(self):
        """Hangs up, whatever is under way."""
        for client in self.clients:
            client.close()


def awake_seconds(pid):
    """How long it has run so far or wanted to: on a busy machine somebody who spins runs little, but waits for it."""
    running, waiting, _ = map(int, Path("/proc/%d/schedstat" % pid).read_text().split())
    return (running + waiting) / 1e9


def assert_does_nothing(pid, when):
    """PID 1 sleeps while nothing happens."""
    before = awake_seconds(pid)
    time.sleep(CALM)
    awake = awake_seconds(pid) - before
    assert awake < SPIN, "PID 1 was awake for %.2f of %g s in which nothing happened, %s" % (awake, CALM, when)


def well_answered(c, words):
    """What that command says of a site that is well, in its usual time."""
    began = time.monotonic()
    code, text = c.tell(*words.split())
    took = time.monotonic() - began
    assert code == 0 and took < 5, "`%s` took %.1f s, status %d: %s" % (words, took, code, text)
    if words == "status --json":
        assert [m["state"] for m in json.loads(text)["apps"][0]["masters"]] == ["ready"] * 2, text
    elif words in ("status", "list"):
        assert {"www/1", "www/2"} <= set(text.split()), text
    elif words == "health":
        assert text == "healthy\n"
    else:
        assert "release 1 is active" in text, text


@pytest.mark.slow
@pytest.mark.parametrize("behave", [silent, half, flood, garbage, begin_to_read("status"), begin_to_read("sessions")],
                         ids=lambda behave: behave.__doc__)
def test_fifty_at_once_are_no_hindrance(behave):
    with Container() as c:
        c.boot()
        c.until("only masters are left", lambda: len(children(c.pid)) == 2)
        before, mark = descriptors(c.pid), c.log.mark()
        crowd = Crowd(c, behave)
        for words in COMMANDS:
            crowd.come()
            well_answered(c, words)
        c.until("only masters are left", lambda: len(children(c.pid)) == 2)
        crowd.come()
        assert_does_nothing(c.pid, "while fifty are there: %s SEED=%d" % (behave.__doc__, SEED))
        if behave is silent:
            # Those that found a place are shown the door after five seconds, the others at once.
            assert all(answers(client) == [] for client in crowd.clients)
            crowd.come()
        crowd.leave()
        assert_does_nothing(c.pid, "after fifty have left: %s SEED=%d" % (behave.__doc__, SEED))
        c.until("nothing is left of them", lambda: descriptors(c.pid) == before)
        said = [line for line in c.log.lines[mark:c.log.mark()] if not line.startswith("twinit: www: ")]
        assert not said, "SEED=%d: the log speaks of more than the roll: %s" % (SEED, said)
        is_well(c)


def test_those_that_wait_leave_room_for_those_who_need_not(boot):
    c = boot()
    with c.begin() as slow:
        c.signal("HUP")
        c.log.wait("draining release 1 ... 1 request")
        waiting = [connect(c) for _ in range(MANY // 2)]  # all at once would take places from each other
        for client in waiting:
            client.send(request("restart"))
        for words in COMMANDS[:-1]:
            code, text = c.tell(*words.split())
            assert code == 0, "`%s`: status %d: %s" % (words, code, text)
        assert c.tell("health") == (0, "healthy\n")
        assert c.tell("restart") == (1, "twinit: 24 commands wait already; try again later\n")
        assert_does_nothing(c.pid, "while a drain is waited for")
        assert slow.end()
    ends = [answers(client)[-1] for client in waiting]
    assert [b"24 commands wait already" in end for end in ends] == [False] * 24 + [True], ends
    for client in waiting:
        client.close()
    assert c.app()["rolls"] == 2, "the one that was under way, and one for all who asked meanwhile"
    is_well(c)
