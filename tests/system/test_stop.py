"""The end: nothing lost, nothing left, never longer than stop_timeout."""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import time

import pytest

from container import Container, children

NUMBERS = {"RTMIN+3": signal.SIGRTMIN + 3}
LIBC = ctypes.CDLL(None, use_errno=True)
RT_SIGQUEUEINFO = {"x86_64": 129, "aarch64": 138}
SI_QUEUE, SI_TIMER = -1, -2
F_SETSIG = 10


def end(c, name):
    """Sends the signal; the exit status."""
    os.kill(c.pid, NUMBERS[name] if name in NUMBERS else getattr(signal, "SIG" + name))
    return c.wait()


def nothing_left(c):
    """Neither a stub nor a file that somebody could take for a running twinit."""
    # What was killed at the end, and is nobody's child any more, is gone a moment later.
    c.until("no stub is left", lambda: not c.stubs())
    assert not (c.run_dir / "control").exists()
    assert not os.listdir(c.run_dir / "private")
    assert not os.listdir(c.run_dir / "pin")


# --- what stops


@pytest.mark.parametrize("name", ["TERM", "QUIT"])
def test_drains_and_stops(boot, name):
    c = boot()
    with c.begin() as slow:
        c.signal(name)
        c.log.wait("twinit: stopping, within 8.0 s")
        assert c.tell("health") == (1, "unhealthy: stopping\n")
        assert not c.events.find("quit|term")
        assert slow.end().startswith("1 ")
        assert c.wait() == 0
    c.log.wait("twinit: stopped, exit status 0")
    assert len(c.events.find("quit busy=0")) == 2
    assert not c.events.find("term")


@pytest.mark.parametrize("name", ["INT", "PWR", "RTMIN+3"])
def test_stops_at_once(boot, name):
    c = boot()
    with c.begin() as slow:
        assert end(c, name) == 0
        assert slow.end() == ""
    assert c.events.find("term")


def test_a_second_term_stops_at_once(boot):
    c = boot()
    with c.begin() as slow:
        c.signal("TERM")
        c.log.wait("twinit: stopping")
        c.until("it drains", lambda: c.masters()["active", 1]["state"] == "draining")
        c.signal("TERM")
        assert c.wait(4) == 0
        assert slow.end() == ""


def test_the_stop_command_stops(boot):
    c = boot()
    code, text = c.tell("stop")
    assert code == 0, text
    assert c.wait() == 0


def test_what_waits_in_the_queue_is_served(make):
    c = make(replicas=1)
    c.boot()
    c.events.wait("www/1 1 ready")
    os.kill(c.started("www/1"), signal.SIGSTOP)
    waiting = [c.begin() for _ in range(50)]
    c.signal("TERM")
    c.log.wait("twinit: stopping")
    os.kill(c.started("www/1"), signal.SIGCONT)
    assert [request.end()[:2] for request in waiting] == ["1 "] * 50
    assert c.wait() == 0


def test_new_connections_are_taken_for_quiet_and_refused_afterwards(make):
    c = make(replicas=1, quiet="500ms", unix=True)
    c.boot()
    slow = c.begin()
    c.signal("TERM")
    c.log.wait("twinit: stopping")
    assert c.release() == "1"
    c.until("it drains", lambda: c.masters()["active", 1]["state"] == "draining")
    with socket.socket(socket.AF_UNIX) as late:
        assert late.connect_ex(c.address) != 0
    assert slow.end().startswith("1 ")
    assert c.wait() == 0


def test_a_roll_is_refused_while_it_stops(boot):
    c = boot()
    with c.begin() as slow:
        c.signal("TERM")
        c.log.wait("twinit: stopping")
        c.signal("HUP")
        c.log.wait("asked to roll while stopping, ignoring")
        code, text = c.tell("restart")
        assert code == 1 and "cannot do that now: the container is stopping" in text
        slow.end()
    assert c.wait() == 0
    assert len(c.events.find(" start ")) == 2


def test_a_crash_while_it_stops_is_not_mended(boot):
    c = boot()
    with c.begin():
        c.signal("TERM")
        c.log.wait("twinit: stopping")
        c.until("it drains", lambda: c.masters()["active", 1]["state"] == "draining")
        for replica in ("www/1", "www/2"):
            os.kill(c.started(replica), signal.SIGKILL)
        assert c.wait() == 0
    assert len(c.events.find(" start ")) == 2


# --- how long it takes


@pytest.mark.parametrize("behaviour", ["", "no-quit", "no-quit no-term", "no-quit no-term workers=2 stubborn",
                                       "status=silent", "status=garbage"])
def test_never_longer_than_stop_timeout(make, behaviour):
    c = make(stop_timeout="1500ms")
    c.behave(behaviour)
    c.boot()
    with c.begin():
        began = time.monotonic()
        assert c.stop() == 0
        assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_stopped_masters_cannot_hold_it_up(make, name):
    c = make(stop_timeout="1500ms")
    c.boot()
    for replica in ("www/1", "www/2"):
        os.kill(c.started(replica), signal.SIGSTOP)
    began = time.monotonic()
    assert end(c, name) == 0
    assert time.monotonic() - began < 3


# --- when it comes


def in_preflight(c):
    """The helper runs php-fpm -tt."""
    c.behave("tt=hang")
    c.signal("HUP")
    c.events.wait("tt hangs")


def in_lane(c):
    """Late connections keep all other lanes occupied."""
    late = c.occupy_lanes()
    c.signal("HUP")
    return late


def in_room(c):
    """The one of two that was told to go has a request."""
    other = c.started("www/1")
    os.kill(other, signal.SIGSTOP)
    slow = c.begin()
    c.events.wait("www/2 1 request")
    os.kill(other, signal.SIGCONT)
    c.signal("HUP")
    c.events.wait("www/2 1 quit busy=1")
    return slow


def in_build(c):
    """Candidates that do not answer."""
    c.behave("mute")
    c.signal("HUP")
    c.events.wait(r"www/\d 1 start", count=3)


def in_drain(c):
    """The old ones have a request."""
    slow = c.begin()
    c.signal("HUP")
    c.log.wait("draining release 1 ... 1 request")
    return slow


def in_fill(c):
    """The second of two new ones does not answer."""
    c.behave("r2:mute")
    c.signal("HUP")
    c.events.wait("www/2 1 start", count=2)


def in_abandon(c):
    """A candidate failed, the other does not want to go."""
    c.behave("mute", "r2:no-quit", "r2:no-term")
    mark = c.events.mark()
    c.signal("HUP")
    c.events.wait("www/2 1 up", mark)
    os.kill(c.started("www/1", mark), signal.SIGKILL)
    c.events.wait("www/2 1 quit", mark)


PHASES = {
    "preflight": (in_preflight, {}), "lane": (in_lane, {"unix": True}), "room": (in_room, {"surge": 0}),
    "build": (in_build, {}), "drain": (in_drain, {}), "fill": (in_fill, {"surge": 1}), "abandon": (in_abandon, {}),
}


@pytest.mark.parametrize("name", ["TERM", "INT"])
@pytest.mark.parametrize("pid1", [True, False])
@pytest.mark.parametrize("phase", PHASES)
def test_in_each_phase_of_a_roll(make, phase, name, pid1):
    reach, options = PHASES[phase]
    c = make(pid1=pid1, stop_timeout="2s", **options)
    c.boot()
    kept = reach(c)
    c.until("it is there", lambda: c.app()["roll"] == phase)
    assert end(c, name) == 0
    assert not c.log.find("stop_timeout is over")
    del kept
    nothing_left(c)


def unblock(c, phase, kept):
    """Ends what holds a roll up in its phase; whatever starts from now on behaves well."""
    c.behave("")
    if phase == "preflight":
        os.kill(next(pid for pid in children(c.pid) if pid not in c.stubs()), signal.SIGKILL)
    elif kept:
        for request in kept if isinstance(kept, list) else [kept]:
            assert request.end()
    else:
        for master in c.app()["masters"]:
            if master["state"] != "ready":
                with contextlib.suppress(ProcessLookupError):  # the end of another one may have ended it
                    os.kill(master["pid"], signal.SIGKILL)


@pytest.mark.parametrize("phase", PHASES)
def test_hup_in_each_phase_of_a_roll_is_one_more_roll(make, phase):
    reach, options = PHASES[phase]
    c = make(pid1=False, **options)
    c.boot()
    kept = reach(c)
    c.until("it is there", lambda: c.app()["roll"] == phase)
    rolls = c.app()["rolls"]
    for _ in range(3):
        c.signal("HUP")
    c.log.wait("one more roll will follow")
    unblock(c, phase, kept)
    c.until("both rolls are over", lambda: (c.app()["rolls"], c.app()["roll"]) == (rolls + 2, "idle"))
    app = c.app()
    assert (app["last_roll"], app["ready"]) == ("done", 2)
    assert c.stop() == 0
    nothing_left(c)


def test_while_settings_are_read_at_boot(make):
    c = make(pid1=False)
    c.behave("tt=hang")
    c.start()
    c.events.wait("tt hangs")
    assert c.stop() == 0
    nothing_left(c)


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_while_masters_start_at_boot(make, name):
    c = make(pid1=False)
    c.behave("mute")
    c.start()
    c.events.wait("start", count=2)
    assert end(c, name) == 0
    nothing_left(c)


def test_while_it_waits_for_the_session_store(make):
    c = make(sessions=("redis", "tcp://127.0.0.1:1?timeout=1"))
    c.start()
    c.until("it waits", lambda: c.tell("status")[0] == 0)
    assert c.stop() == 0


def test_during_backoff(boot):
    c = boot(pid1=False)
    c.behave("die")
    for replica in ("www/1", "www/2"):
        os.kill(c.started(replica), signal.SIGKILL)
    c.log.wait("starting it again in 400 ms")
    assert c.stop() == 0
    nothing_left(c)


# --- what is left


@pytest.mark.parametrize("behaviour", ["", "workers=5", "workers=5 stubborn", "workers=5 stubborn no-quit no-term"])
@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_as_a_subreaper_it_leaves_nothing_either(make, name, behaviour):
    """Where it is not PID 1 the kernel does not clean up behind it."""
    c = make(pid1=False, unix=True, stop_timeout="2s")
    c.behave(behaviour)
    c.boot()
    assert end(c, name) == 0
    nothing_left(c)
    assert not os.path.exists(c.address)


def test_masters_that_crashed_before_leave_no_worker(make):
    c = make(pid1=False, replicas=1)
    c.behave("workers=5 stubborn")
    c.boot()
    c.behave()
    os.kill(c.started("www/1"), signal.SIGKILL)
    c.log.wait("starting replica 1 on lane A ... ready", count=2)
    assert c.stop() == 0
    nothing_left(c)


def test_helpers_do_not_outlive_it(make):
    c = make(pid1=False)
    c.boot()
    in_preflight(c)
    helpers = [pid for pid in children(c.pid) if pid not in c.stubs()]
    assert helpers
    os.kill(c.pid, signal.SIGKILL)
    c.wait()
    c.until("the helpers are gone", lambda: not any(os.path.exists("/proc/%d" % pid) for pid in helpers))


def test_what_a_killed_helper_runs_goes_too(make):
    c = make()
    c.boot()
    in_preflight(c)
    helper, = [pid for pid in children(c.pid) if pid not in c.stubs()]
    programs = children(helper)
    assert programs, "php-fpm -tt hangs, and -i may be there, too"
    os.kill(helper, signal.SIGKILL)
    c.log.wait("roll refused")
    c.until("they are gone", lambda: not any(os.path.exists("/proc/%d" % program) for program in programs))


@pytest.mark.slow
def test_settings_that_take_for_ever_end_the_boot():
    with Container() as c:
        c.behave("tt=hang")
        c.start()
        assert c.wait(45) == 78
        c.log.wait(r"twinit: error: www: reading the FPM configuration \(php-fpm -tt\) took longer than 30 s")


@pytest.mark.slow
def test_settings_that_take_for_ever_refuse_a_roll():
    with Container(pid1=False) as c:
        c.boot()
        c.behave("tt=hang")
        code, text = c.tell("restart", timeout=45)
        assert code == 1 and "reading the FPM configuration (php-fpm -tt) took longer than 30 s" in text
        assert c.release() == "1"
        c.behave()
        c.roll()
        assert c.stop() == 0
        nothing_left(c)


# --- signals that do not say who sent them


def queued(pid, code):
    """TERM as sigqueue(3) sends it, in the name of process 0: the caller fills in all that follows the code."""
    name = ctypes.create_string_buffer(struct.pack("iii4xii", signal.SIGTERM, 0, code, 0, 0), 128)
    assert LIBC.syscall(RT_SIGQUEUEINFO[os.uname().machine], pid, signal.SIGTERM, name) == 0, ctypes.get_errno()


def of_descriptor(pid, number):
    """The kernel sends it when there is something to read."""
    reader, writer = socket.socketpair()
    with reader, writer:
        fcntl.fcntl(reader, fcntl.F_SETOWN, pid)
        fcntl.fcntl(reader, F_SETSIG, number)
        fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
        writer.send(b"x")


@pytest.mark.parametrize("send, name", [
    (lambda pid: queued(pid, SI_QUEUE), "Terminated"),
    (lambda pid: queued(pid, SI_TIMER), "Terminated"),
    (lambda pid: of_descriptor(pid, signal.SIGTERM), "Terminated"),
    (lambda pid: of_descriptor(pid, signal.SIGINT), "Interrupt"),
    (lambda pid: of_descriptor(pid, signal.SIGHUP), "Hangup"),
], ids=["queued", "a timer's", "a descriptor's TERM", "a descriptor's INT", "a descriptor's HUP"])
def test_a_signal_that_does_not_say_who_sent_it_is_ignored(make, send, name):
    c = make()
    c.boot()
    send(c.pid)
    c.log.wait("warning: ignoring '%s', which does not say who sent it" % name)
    assert c.tell("health") == (0, "healthy\n")
    assert c.app()["rolls"] == 0
    assert c.stop() == 0
