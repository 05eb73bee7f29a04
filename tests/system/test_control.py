"""The control socket: who may speak, and that nobody can keep PID 1 busy with it."""

import contextlib
import os
import random
import socket
import threading

import pytest

from control import answers, changed, connect, is_well, request

STOP = 2  # a command

NONSENSE = {
    "nothing but a byte": lambda: b"x",
    "an empty message": lambda: b"",
    "garbage": lambda: random.Random(1).randbytes(len(request("status"))),
    "too short": lambda: request("status")[:-1],
    "too long": lambda: request("status") + b"x",
    "very long": lambda: request("status") + b"x" * 100000,
    "a wrong magic": lambda: changed("status", magic=1),
    "a wrong size": lambda: changed("status", size=1),
    "an unknown command": lambda: changed("status", command=99),
    "a command of -1": lambda: changed("status", command=0xFFFFFFFF),
    "a name without end": lambda: changed("status", name=b"w" * 64),
    "a name with escapes": lambda: changed("status", name=b"\x1b[31m\n'; rm"),
    "an unknown app": lambda: changed("restart", name=b"shop"),
    "the last replica there can be": lambda: changed("restart", replica=0xFFFFFFFF),
    "no replica of the app": lambda: changed("start", name=b"www", replica=3),
    "a replica of no app to stop": lambda: changed("stop", replica=0x80000000),
    "a yes of 255": lambda: changed("start", force=255, no_wait=255, all=255),
    "a directory without end": lambda: changed("deploy /x", directory=b"/" * 1024),
    "an empty directory": lambda: changed("deploy /x", directory=b""),
    "a directory with escapes": lambda: changed("deploy /x", directory=b"\x1b[31m\n'; rm"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_answered_or_dropped(boot, what):
    c = boot()
    with connect(c) as client:
        client.send(NONSENSE[what]())
        assert len(answers(client)) <= 1
    is_well(c)


def test_whatever_stands_in_the_fields_is_answered(boot):
    c = boot()
    rng = random.Random(3)
    for turn in range(60):
        words = {
            "command": rng.randrange(7), "force": rng.choice((0, 1, 255)), "no_wait": rng.randrange(256),
            "all": rng.randrange(256), "pools": rng.randrange(256), "replica": rng.choice((0, 1, 2, 5, 1 << 31, 0xFFFFFFFF)),
        }
        if words["command"] == STOP:
            words["all"] = words["all"] or 1  # the container goes on
        message = changed("status", name=rng.choice((b"", b"www", rng.randbytes(63))),
                          directory=rng.choice((b"", b"1", b"2", b"/", b"..", rng.randbytes(1023))), **words)
        with connect(c) as client:
            client.send(message)
            assert answers(client), "turn %d: no answer to %r" % (turn, message[:100])
        c.until("no roll is under way", lambda: c.app()["roll"] == "idle" and c.tell("start", "all")[0] == 0)
    is_well(c)


def test_a_replica_means_nothing_to_a_deploy_and_a_rollback(boot):
    c = boot()
    for message in changed("deploy /x", directory=b"2", replica=7), changed("rollback", replica=7):
        with connect(c) as client:
            client.send(message)
            assert answers(client)
        is_well(c)
    assert c.release() == "1"


def test_status_is_answered_whole_to_a_client_of_our_own(boot):
    c = boot()
    with connect(c) as client:
        client.send(request("status"))
        # container, app, two replicas, their pool, sessions, end
        assert len(answers(client)) == 7
    with connect(c) as client:
        client.send(changed("status", name=b"www", pools=0))
        assert len(answers(client)) == 6


def test_a_client_that_says_something_twice_is_dropped(boot):
    c = boot()
    with c.begin() as slow, connect(c) as client:
        client.send(request("restart"))
        c.log.wait("draining release 1 ... 1 request")
        client.send(request("status"))
        answers(client)
        slow.end()
    c.log.wait("release 1 is active")
    is_well(c)


def test_hang_ups_at_any_point(boot):
    c = boot()
    for turn in range(200):
        with connect(c) as client, contextlib.suppress(BrokenPipeError):  # so many at once are not let in
            if turn % 4 > 0:
                client.send(request(("status", "restart", "sessions")[turn % 4 - 1]))
    c.until("it is idle", lambda: "idle" in c.tell("status", "--json")[1])
    is_well(c)


def test_a_client_that_never_reads_does_not_stop_a_roll(boot):
    c = boot()
    deaf = [connect(c) for _ in range(20)]
    for client in deaf:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.send(request("restart"))
    for _ in range(30):
        c.roll()
    is_well(c)
    for client in deaf:
        client.close()


def test_attacks_during_rolls_change_nothing(boot):
    c = boot()
    stop = threading.Event()
    rng = random.Random(2)
    nonsense = [make() for make in NONSENSE.values()]

    def attack():
        while not stop.is_set():
            try:
                with connect(c) as client:
                    client.send(rng.choice(nonsense))
                    if rng.random() < 0.5:
                        client.recv(65536)
            except OSError:
                pass

    attackers = [threading.Thread(target=attack) for _ in range(4)]
    for one in attackers:
        one.start()
    try:
        for turn in range(20):
            c.deploy(turn % 2 + 1)
            c.signal("HUP")
            c.log.wait("is active on 2 replicas", count=turn + 1)
            assert c.release() == str(turn % 2 + 1)
    finally:
        stop.set()
        for one in attackers:
            one.join()
    is_well(c)


def test_another_user_is_not_let_in(boot):
    c = boot()
    c.run_dir.chmod(0o777)
    (c.run_dir / "control").chmod(0o777)
    pid = os.fork()
    if pid == 0:
        try:
            os.setgid(33)
            os.setuid(33)
            with connect(c) as client:
                client.send(request("stop"))
                os._exit(0 if answers(client) == [] else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] in (0, 2 << 8)
    is_well(c)


def test_the_control_socket_is_ours_alone(boot):
    c = boot()
    assert (c.run_dir / "control").stat().st_mode & 0o777 == 0o600
    assert (c.run_dir / "private").stat().st_mode & 0o007 == 0


def test_a_command_to_nobody_says_so(make):
    c = make()
    code, text = c.tell("status")
    assert code == 1 and "no running twinit at %s" % c.run_dir in text
