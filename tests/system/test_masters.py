"""One master and its fate: crashes, back-off, what it leaves behind."""

import os
import select
import signal

import pytest

from container import PATIENCE, Container, TookTooLong, children, start_time


def gone(pid, timeout=PATIENCE):
    """Waits until a process that is no child of ours has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(timeout * 1000):
            raise TookTooLong("process %d lives on" % pid)
    finally:
        os.close(fd)


def test_a_killed_master_comes_back_on_the_active_release(boot):
    c = boot()
    first = c.started("www/1")
    c.deploy(2)
    before = c.log.mark(), c.events.mark()
    os.kill(first, signal.SIGKILL)
    c.log.wait(r"www: replica 1: was killed by signal 9 \(Killed\); starting it again in 100 ms", before[0])
    c.events.wait("www/1 1 ready", before[1])
    assert c.app()["release"] == "1"
    assert {c.release() for _ in range(20)} == {"1"}
    assert c.roll()
    assert c.release() == "2"


def test_status_counts_the_crashes_of_a_replica_and_says_how_the_last_one_ended(boot):
    c = boot()
    mark = c.events.mark()
    for count in (1, 2):
        os.kill(c.newest("www/1"), signal.SIGKILL)
        c.events.wait("www/1 1 ready", mark, count)
        c.until("replica 1 is ready again", lambda: c.masters()["active", 1]["state"] == "ready")
        assert c.masters()["active", 1]["failures"] == count
        assert c.masters()["active", 1]["last_failure"] == "was killed by signal 9 (Killed)"
    assert "failed 2 times; the last one was killed by signal 9 (Killed)" in c.tell("status")[1]
    assert c.masters()["active", 2]["failures"] == 0
    assert c.masters()["active", 2]["last_failure"] == ""


def test_a_start_that_takes_too_long_where_visitors_are_ends_without_cutting_them(boot):
    """FPM serves the lane it is on before twinit has got an answer from it."""
    c = boot(replicas=1, start_timeout="500ms")
    mark = c.events.mark()
    c.behave("mute")
    os.kill(c.newest("www/1"), signal.SIGKILL)
    c.events.wait("www/1 1 start", mark)
    with c.begin() as slow:
        c.events.wait("quit busy=1", mark)
        c.behave("")
        assert slow.end().startswith("1 www/1 ")
    c.log.wait("replica 1: was not ready within start_timeout; starting it again")
    c.events.wait("www/1 1 ready", mark)
    assert not c.events.find("term", mark)


def test_one_that_visitors_reach_and_that_hears_nothing_is_killed(boot):
    c = boot(replicas=1, start_timeout="500ms", drain_timeout="1s")
    mark = c.events.mark()
    c.behave("mute", "no-quit")
    os.kill(c.newest("www/1"), signal.SIGKILL)
    c.log.wait("replica 1: was not ready within start_timeout; starting it again")
    c.behave("")
    c.events.wait("www/1 1 ready", mark)


def test_a_trial_whose_helper_dies_is_held_again(boot):
    """What comes of a master is not to depend on what becomes of who asks."""
    c = boot(replicas=1)
    mark = c.events.mark()
    c.behave("mute")
    os.kill(c.newest("www/1"), signal.SIGKILL)
    c.events.wait("www/1 1 up", mark)

    def helper():
        return next((pid for pid in children(c.pid) if pid not in c.stubs()), None)

    first = c.until("it is tried", helper)
    os.kill(first, signal.SIGKILL)
    c.until("it is tried again", lambda: helper() not in (None, first))
    assert len(c.events.find("www/1 1 start", mark)) == 1


def test_while_one_is_down_the_other_serves(boot):
    c = boot()
    c.behave("r1:die")
    os.kill(c.started("www/1"), signal.SIGKILL)
    c.log.wait("replica 1: was killed")
    assert {c.request().split()[1] for _ in range(20)} == {"www/2"}
    assert c.tell("health")[0] == 0


def test_when_both_die_both_come_back(boot):
    c = boot()
    mark = c.events.mark()
    for replica in ("www/1", "www/2"):
        os.kill(c.started(replica), signal.SIGKILL)
    # Nobody is refused meanwhile: the socket is twinit's.
    assert c.release() == "1"
    c.events.wait("www/1 1 ready", mark)
    c.events.wait("www/2 1 ready", mark)
    c.until("both are ready again", lambda: c.app()["ready"] == 2)


def test_unhealthy_while_none_serves(boot):
    c = boot()
    c.behave("die")
    for replica in ("www/1", "www/2"):
        os.kill(c.started(replica), signal.SIGKILL)
    c.log.wait("replica 1: exited with status 1")
    c.log.wait("replica 2: exited with status 1")
    assert c.tell("health") == (1, "unhealthy: www: no replica serves\n")
    c.behave()
    c.until("both are ready again", lambda: c.app()["ready"] == 2)
    assert c.tell("health") == (0, "healthy\n")


def test_a_series_of_crashes_is_slowed_down(boot):
    c = boot()
    c.behave("r1:die")
    os.kill(c.started("www/1"), signal.SIGKILL)
    for wait in ("100 ms", "200 ms", "400 ms", "800 ms"):
        c.log.wait("replica 1: .*; starting it again in " + wait)
    mark = c.log.mark()
    c.behave()
    c.log.wait("starting replica 1 on lane A ... ready", mark)


def test_a_master_that_crashes_as_soon_as_it_is_ready_is_slowed_down_too(boot):
    c = boot()
    c.behave("r1:crash-on-ready")
    os.kill(c.started("www/1"), signal.SIGKILL)
    for wait in ("100 ms", "200 ms", "400 ms"):
        c.log.wait("replica 1: was killed by signal 9.*; starting it again in " + wait)
    assert {c.request().split()[1] for _ in range(5)} == {"www/2"}


def test_a_master_that_leaves_by_itself_is_a_crash(boot):
    c = boot()
    os.kill(c.started("www/1"), signal.SIGTERM)
    c.log.wait("replica 1: exited with status 0; starting it again in 100 ms")
    c.log.wait("starting replica 1 on lane A ... ready", count=2)


def test_a_request_that_is_cut_by_a_crash_is_the_only_one(boot):
    c = boot(replicas=1)
    assert c.request("/crash") == ""
    assert c.release() == "1"


def test_workers_of_a_dead_master_go_too(make):
    c = make(replicas=1)
    c.behave("workers=3")
    c.boot()
    workers = [int(m[1]) for m in (c.events.wait(r"^(\d+) www/1 1 worker", count=n) for n in (1, 2, 3))]
    os.kill(c.started("www/1"), signal.SIGKILL)
    for pid in workers:
        gone(pid)
    c.log.wait("starting replica 1 on lane A ... ready", count=2)


def test_workers_of_a_master_that_dies_before_it_told_them_to_go_go_too(make):
    c = make(replicas=1)
    c.behave("g1:workers=3", "g1:no-quit")
    c.boot()
    workers = [int(m[1]) for m in (c.events.wait(r"^(\d+) www/1 1 worker", count=n) for n in (1, 2, 3))]
    c.deploy(2)
    c.signal("HUP")
    c.events.wait("www/1 1 quit")
    os.kill(c.started("www/1 1"), signal.SIGKILL)
    for pid in workers:
        gone(pid)
    c.log.wait("release 2 is active")


@pytest.mark.slow
def test_workers_that_ignore_everything_are_killed_in_time():
    with Container(replicas=1) as c:
        c.behave("workers=3", "stubborn")
        c.boot()
        workers = [int(m[1]) for m in (c.events.wait(r"^(\d+) www/1 1 worker", count=n) for n in (1, 2, 3))]
        c.behave()
        os.kill(c.started("www/1"), signal.SIGKILL)
        c.log.wait("starting replica 1 on lane A ... ready", count=2)
        # They may finish what they do, for five seconds.
        assert all(start_time(pid) for pid in workers)
        for pid in workers:
            gone(pid, 8)


@pytest.mark.slow
def test_a_master_that_is_stopped_for_good_is_ended():
    """SIGSTOP: it answers nothing, and ignores everything but SIGKILL."""
    with Container(drain_timeout="100ms") as c:
        c.boot()
        first = c.started("www/1")
        os.kill(first, signal.SIGSTOP)
        c.deploy(2)
        assert "release 2 is active" in c.roll()
        gone(first)
