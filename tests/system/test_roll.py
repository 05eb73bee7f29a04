"""Rolls: what is replaced when, and what happens when the new ones are bad."""

import os
import re
import signal
import subprocess
import threading

import pytest

from container import LANES, PATIENCE, Container, binary, limit


class Restart:
    """`twinit restart` in the background."""

    def __init__(self, c):
        self.process = subprocess.Popen([str(binary()), "restart"], env=c.environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def end(self, timeout=PATIENCE):
        """Its exit status and what it said."""
        text, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, text.decode()


@pytest.fixture
def restart():
    """restart(container) is a Restart, which does not outlive the test."""
    begun = []

    def new(c):
        begun.append(Restart(c))
        return begun[-1]

    yield new
    for one in begun:
        one.process.kill()
        one.process.wait()


def pids(c):
    """Of the active masters."""
    return {number: m["pid"] for (group, number), m in c.masters().items() if group == "active"}


# --- a good release


@pytest.mark.parametrize("replicas, surge", [(1, ""), (1, 0), (2, ""), (2, 0), (2, 1), (3, 2), (4, ""), (4, 0)])
def test_a_roll_replaces_all(make, replicas, surge):
    c = make(replicas=replicas, surge=surge)
    c.boot()
    before = pids(c)
    c.deploy(2)
    assert c.release() == "1"
    text = c.roll()
    assert "www: release 1 -> 2\n" in text
    assert "www: release 2 is active on %d replica" % replicas in text
    assert "0 requests cut" in text
    after = pids(c)
    assert sorted(after) == list(range(1, replicas + 1))
    assert not set(after.values()) & set(before.values())
    assert {c.release() for _ in range(10)} == {"2"}
    assert all(m["release"] == "2" for m in c.masters().values())


@pytest.mark.parametrize("unix", [False, True])
def test_rolls_go_round_the_lanes(make, unix):
    c = make(unix=unix)
    c.boot()
    for turn in range(6):
        c.deploy(turn % 2 + 1)
        c.roll()
        assert c.release() == str(turn % 2 + 1)
        assert c.app()["lane"] == (turn + 1) % LANES


@pytest.mark.parametrize("name", ["HUP", "USR1", "USR2"])
def test_signals_roll(boot, name):
    c = boot()
    c.deploy(2)
    c.signal(name)
    c.log.wait("www: release 2 is active on 2 replicas")
    assert c.release() == "2"


def test_a_request_in_flight_feels_nothing(boot, restart):
    c = boot()
    c.deploy(2)
    with c.begin() as slow:
        roll = restart(c)
        c.log.wait("draining release 1 ... 1 request$")
        assert {c.release() for _ in range(20)} == {"2"}
        busy = [m for m in c.masters().values() if m["group"] == "old" and m["state"] == "draining"]
        assert len(busy) == 2
        assert c.app()["draining_requests"] == 1
        # No signal reached it, nor its idle twin on the same lane.
        assert not c.events.find("quit")
        assert slow.end().startswith("1 ")
    assert roll.end()[0] == 0
    assert len(c.events.find("quit busy=0")) == 2
    assert not c.events.find("term")


@pytest.mark.slow
def test_a_request_that_never_ends_is_cut_after_drain_timeout():
    with Container(drain_timeout=limit(300)) as c:
        c.boot()
        with c.begin() as endless:
            text = c.roll()
            assert "draining release 1 took too long with 1 request left" in text
            assert "1 request cut" in text
            assert endless.end() == ""
        assert c.events.find("quit busy=1")


@pytest.mark.parametrize("page", ["garbage", "busy", "silent", "huge"])
def test_a_status_page_that_never_says_idle_ends_with_drain_timeout(make, page):
    c = make(replicas=1, drain_timeout="300ms")
    c.boot()
    c.behave("g1:status=" + page)
    c.deploy(2)
    text = c.roll()
    assert "took too long" in text
    assert c.release() == "2"


# --- a bad release


BAD = {
    "never gets ready": ("mute", "was not ready within start_timeout"),
    "dies at once": ("die", "exited with status 1"),
    "has a broken configuration": ("die78", r"exited with status 78 (configuration error)"),
    "is killed": ("killed", "was killed by signal 9 (Killed)"),
    "answers nonsense": ("no-pong", "pong"),
}


@pytest.mark.parametrize("surge", ["", 1, 0])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_release_gets_no_visitor(make, what, surge):
    behaviour, why = BAD[what]
    c = make(start_timeout="500ms", surge=surge)
    c.boot()
    before = pids(c)
    c.behave("g2:" + behaviour)
    c.deploy(2)
    code, text = c.tell("restart")
    assert code == 1
    assert re.search("www: roll failed, release 1 serves on: replica [12] ", text)
    assert why in text
    assert {c.release() for _ in range(10)} == {"1"}
    assert not c.log.find("cutover")
    after = pids(c)
    if surge == 0:
        # One left to make room; it is there again.
        assert after[1] == before[1] and sorted(after) == [1, 2]
    else:
        assert after == before
    assert not [m for m in c.masters().values() if m["group"] != "active"]
    app = c.app()
    assert app["last_roll"] == "failed" and why in app["last_roll_why"]
    assert c.tell("health")[0] == 0


def test_one_bad_candidate_of_two_is_enough_to_fail(make):
    c = make(start_timeout="500ms")
    c.boot()
    before = pids(c)
    c.behave("g2:r2:die")
    c.deploy(2)
    code, text = c.tell("restart")
    assert code == 1 and "replica 2 exited with status 1" in text
    assert pids(c) == before
    assert c.release() == "1"


def test_a_candidate_that_crashes_after_it_was_ready_fails_the_roll(make):
    c = make()
    c.boot()
    c.behave("g2:r1:crash-on-ready", "g2:r2:mute")
    c.deploy(2)
    code, text = c.tell("restart")
    assert code == 1 and "replica 1 was killed by signal 9" in text
    assert c.release() == "1"


def test_after_a_failed_roll_the_next_one_works(make):
    c = make()
    c.boot()
    c.behave("g2:die")
    c.deploy(2)
    assert c.tell("restart")[0] == 1
    c.behave()
    c.roll()
    assert c.release() == "2"
    assert c.app()["last_roll_why"] == ""


REFUSALS = {
    "a mistake in the FPM configuration": (
        lambda c: c.behave("tt=fail"), "[/etc/stub.conf:12] unknown entry 'lsten'"),
    "-tt that prints garbage": (lambda c: c.behave("tt=garbage"), "php-fpm -tt did not say what is wrong"),
    "-tt that crashes": (lambda c: c.behave("tt=crash"), "php-fpm -tt "),
    "a release that is not there": (lambda c: c.deploy(9), "points to 'releases/9', which does not exist"),
    "a changed address": (
        lambda c: c.write("dump", (c.directory / "dump").read_text().replace("listen = 127.0.0.1:", "listen = 127.0.0.2:")),
        "a changed address needs a restart"),
    "one more pool": (
        lambda c: c.write("dump", (c.directory / "dump").read_text().replace(
            "NOTICE: configuration", "NOTICE: [two]\n[t] NOTICE: \tlisten = 1\n[t] NOTICE: \tpm = static\n"
            "[t] NOTICE: \tuser = www-data\n[t] NOTICE: \tpm.max_children = 1\n[t] NOTICE: configuration")),
        "pools were added or removed"),
}


@pytest.mark.parametrize("surge", ["", 0])
@pytest.mark.parametrize("what", REFUSALS)
def test_a_refused_roll_touches_nothing(make, what, surge):
    spoil, why = REFUSALS[what]
    c = make(surge=surge)
    c.boot()
    before = pids(c)
    starts = len(c.events.find(" start "))
    spoil(c)
    code, text = c.tell("restart")
    assert code == 1
    assert "www: roll refused, nothing was touched: " in text and why in text
    assert pids(c) == before
    assert len(c.events.find(" start ")) == starts
    assert c.release() == "1"
    assert c.app()["last_roll"] == "refused"


def test_a_refused_roll_leaves_no_descriptor(boot):
    c = boot()
    c.behave("tt=fail")
    c.tell("restart")
    before = len(os.listdir("/proc/%d/fd" % c.pid))
    for _ in range(10):
        assert c.tell("restart")[0] == 1
    c.until("there are no more than before", lambda: len(os.listdir("/proc/%d/fd" % c.pid)) <= before)


# --- masters that do not want to go


@pytest.mark.slow
def test_quit_ignored_is_followed_by_term():
    with Container() as c:
        c.boot()
        c.behave("g1:no-quit")
        c.deploy(2)
        assert "0 requests cut" in c.roll()
        assert len(c.events.find("quit")) == 2 and len(c.events.find("term")) == 2


@pytest.mark.slow
def test_quit_and_term_ignored_are_followed_by_kill():
    with Container() as c:
        c.boot()
        old = c.started("www/1"), c.started("www/2")
        c.behave("g1:no-quit", "g1:no-term")
        c.deploy(2)
        c.roll()
        assert len(c.events.find("quit")) == 2 and len(c.events.find("term")) == 2
        assert not set(old) & set(c.stubs())


@pytest.mark.slow
def test_candidates_that_do_not_want_to_go_are_ended():
    with Container(start_timeout="500ms") as c:
        c.boot()
        c.behave("g2:r1:die", "g2:no-quit", "g2:no-term", "g2:r2:mute")
        c.deploy(2)
        assert c.tell("restart")[0] == 1
        assert len(c.stubs()) == 2
        assert c.release() == "1"


# --- more than one request


def test_requests_during_a_roll_are_remembered_once(boot):
    c = boot()
    with c.begin() as slow:
        c.signal("HUP")
        c.log.wait("draining release 1 ... 1 request")
        for _ in range(3):
            mark = c.log.mark()
            c.signal("HUP")
            c.status()
        assert len(c.log.find("one more roll will follow")) == 1
        c.deploy(2)
        slow.end()
    c.log.wait("release 1 is active on 2 replicas")
    c.log.wait("release 2 is active on 2 replicas", mark)
    c.until("it is idle", lambda: c.app()["roll"] == "idle")
    assert c.app()["rolls"] == 2
    assert c.release() == "2"


def test_a_storm_of_a_thousand_requests(boot):
    c = boot()
    c.deploy(2)
    for _ in range(1000):
        c.signal("HUP")
    c.until("it is idle", lambda: c.app()["roll"] == "idle" and c.app()["rolls"] > 0)
    rolls = c.app()["rolls"]
    assert c.release() == "2"
    assert c.app()["ready"] == 2
    assert c.app()["rolls"] == rolls <= 1000
    c.roll()
    assert len(c.stubs()) == 2


def test_each_of_many_callers_is_told_of_a_roll_that_began_after_it_asked(boot, restart):
    c = boot()
    with c.begin() as slow:
        first = restart(c)
        c.log.wait("draining release 1 ... 1 request")
        c.deploy(2)
        others = [restart(c) for _ in range(5)]
        c.log.wait("one more roll will follow")
        # All five have asked when PID 1 has answered a sixth that came after them.
        c.until("all have asked", lambda: len(os.listdir("/proc/%d/fd" % c.pid)) and c.status())
        slow.end()
    assert first.end()[0] == 0
    for other in others:
        code, text = other.end()
        assert code == 0, text
        assert "release 2 is active" in text
    assert c.app()["rolls"] in (2, 3)


def test_a_caller_that_leaves_does_not_stop_the_roll(boot, restart):
    c = boot()
    c.deploy(2)
    with c.begin() as slow:
        roll = restart(c)
        c.log.wait("draining release 1 ... 1 request")
        roll.process.kill()
        roll.process.wait()
        slow.end()
    c.log.wait("release 2 is active on 2 replicas")


def test_a_request_while_it_boots_is_remembered(make):
    c = make(replicas=1, start_timeout="10s")
    c.behave("i=hang")
    c.start()
    c.events.wait("i hangs")
    c.signal("HUP")
    c.log.wait("one more roll will follow")
    c.behave()
    # The helper hangs on; PID 1 waits for it, and nothing else.
    assert c.status()["phase"] == "starting"
    c.signal("INT")
    assert c.wait() == 0


# --- crashes meanwhile


def test_an_active_master_that_crashes_during_a_roll(boot):
    c = boot()
    c.deploy(2)
    c.behave("g2:mute")
    c.signal("HUP")
    c.events.wait("www/2 2 start")
    os.kill(c.started("www/1 1"), signal.SIGKILL)
    c.log.wait("replica 1: was killed")
    c.events.wait("www/1 1 ready", count=2)
    assert c.release() == "1"
    c.behave()
    for pid in c.stubs():
        if c.events.find(r"^%d www/. 2 start" % pid):
            os.kill(pid, signal.SIGKILL)
    c.log.wait("roll failed, release 1 serves on")
    c.roll()
    assert c.release() == "2"


def test_a_new_master_that_crashes_during_the_drain_comes_back(boot, restart):
    c = boot()
    c.deploy(2)
    with c.begin() as slow:
        roll = restart(c)
        c.log.wait("draining release 1 ... 1 request")
        mark = c.events.mark()
        os.kill(c.started("www/1 2"), signal.SIGKILL)
        c.events.wait("www/1 2 ready", mark)
        assert slow.end().startswith("1 ")
    assert roll.end()[0] == 0
    c.until("both are ready", lambda: c.app()["ready"] == 2)


def test_an_old_master_that_crashes_while_it_drains_stays_away(boot, restart):
    c = boot()
    c.deploy(2)
    with c.begin() as slow:
        roll = restart(c)
        c.log.wait("draining release 1 ... 1 request")
        for replica in ("www/1 1", "www/2 1"):
            os.kill(c.started(replica), signal.SIGKILL)
        assert roll.end()[0] == 0
        assert slow.end() == ""
    assert len(c.events.find(r"www/\d 1 start")) == 2


def test_without_room_to_spare_the_last_healthy_one_stays(make):
    """surge = 0 with one replica down: nothing is stopped before the new one is ready."""
    c = make(surge=0)
    c.boot()
    c.behave("g1:r1:die")
    os.kill(c.started("www/1"), signal.SIGKILL)
    c.log.wait("replica 1: exited with status 1")
    c.behave("g1:r1:die", "g2:mute")
    c.deploy(2)
    mark = c.events.mark()
    c.signal("HUP")
    c.events.wait("www/1 2 start", mark)
    assert not c.events.find("www/2 1 quit")
    assert c.release() == "1"


# --- late connections


def test_a_late_connection_is_served_by_a_rescue_master_of_the_new_release(make):
    c = make(unix=True)
    c.boot()
    door = c.late_door()
    c.deploy(2)
    c.roll()
    assert c.request(address=door).startswith("2 www/1r ")
    c.log.wait("a late connection waits on lane A: starting a rescue master")
    c.until("the rescue master is gone", lambda: len(c.app()["masters"]) == 2)
    assert c.release() == "2"


def test_many_late_connections_are_all_served(make):
    c = make(unix=True)
    c.boot()
    door = c.late_door()
    c.deploy(2)
    c.roll()
    late = [c.begin(address=door) for _ in range(200)]
    assert [request.end()[:2] for request in late] == ["2 "] * 200
    c.until("the rescue master is gone", lambda: len(c.app()["masters"]) == 2)


def test_a_rescue_master_that_cannot_start_is_tried_again(make):
    c = make(unix=True)
    c.boot()
    door = c.late_door()
    c.roll()
    c.behave("r1r:die")
    with c.begin(address=door) as late:
        c.events.wait("www/1r . start", count=2)
        c.behave()
        assert late.end().startswith("1 www/1r ")


def test_a_roll_passes_over_a_lane_that_is_not_empty(make):
    c = make(unix=True)
    c.boot()
    door = c.late_door()
    c.roll()
    with c.begin(address=door) as late:
        c.events.wait("www/1r 1 ready")
        for _ in range(LANES):
            c.roll()
            assert c.app()["lane"] != 0
        assert late.end().startswith("1 www/1r ")


def test_a_roll_waits_until_a_lane_is_empty(make, restart):
    c = make(unix=True)
    c.boot()
    late = c.occupy_lanes()
    c.deploy(2)
    roll = restart(c)
    c.until("it waits", lambda: c.app()["roll"] == "lane")
    assert c.release() == "1"
    assert late[1].end().startswith("1 www/1r ")
    assert roll.end()[0] == 0
    assert c.release() == "2"
    assert [late[n].end()[:9] for n in (0, 2)] == ["1 www/1r "] * 2


@pytest.mark.slow
def test_lanes_that_do_not_become_empty_refuse_the_roll():
    with Container(unix=True, drain_timeout=limit(4000)) as c:
        c.boot()
        late = c.occupy_lanes()
        before = pids(c)
        code, text = c.tell("restart")
        assert code == 1
        assert "roll refused, nothing was touched: no other lane became empty within drain_timeout" in text
        assert pids(c) == before
        assert late


# --- the release


def test_a_release_that_is_removed_while_it_is_in_use_is_said(boot):
    c = boot()
    release = c.directory / "app" / "releases" / "1"
    (release / "release.txt").unlink()
    (release / "public").rmdir()
    release.rmdir()
    os.kill(c.started("www/1"), signal.SIGKILL)
    c.log.wait("release .* was removed while it is in use")
    assert c.status()["phase"] == "running"
    c.deploy(2)
    c.roll()
    assert c.release() == "2"


def test_moving_the_link_back_and_forth_changes_nothing_inside(boot):
    c = boot()
    stop = threading.Event()

    def flip():
        turn = 0
        while not stop.is_set():
            c.deploy(turn % 2 + 1)
            turn += 1

    flipper = threading.Thread(target=flip)
    flipper.start()
    try:
        for _ in range(5):
            c.roll()
            served = c.app()["release"]
            assert {c.release() for _ in range(20)} == {served}
    finally:
        stop.set()
        flipper.join()
