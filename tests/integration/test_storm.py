"""Signals and kills at the worst moments, under load: nothing is lost and nothing is left.

STORM says in how many rolls somebody is killed, SEED repeats the moments and victims of an earlier run.
"""

import contextlib
import os
import random
import re
import signal
import time

import pytest

from clients import Crowd, Later, answers_of_the_past, fpm_post, post, release_of_check
from footprint import differences, footprint, memory_kb
from support import QUICK_STOP, SECONDS, children, title, wait_until

STORM = int(os.environ.get("STORM", 20))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
PAGE = "/check.php?stay=10"  # as long whatever signal comes
LANES = 4
MEMORY_KB = 64  # a page here and there, for what is used for the first time
SURGES = {"room": 0, "fill": 1}  # phases that only such a roll has; 2 otherwise
PHASES = ["preflight", "room", "build", "drain", "fill"]


def crowd_of(site):
    """Through nginx and straight to FPM; a twinit that has gone refuses the latter."""
    return Crowd(8, lambda: release_of_check(post(site.port, PAGE)), straight(site))


def straight(site):
    """A request straight to FPM; what is not accepted in time counts as refused."""
    return lambda: release_of_check(fpm_post(site.task.address, PAGE, connect_timeout=0.5))


def settled(site):
    """Waits until no roll is under way or remembered and both masters serve alone."""
    def look():
        app = site.app()
        return app["roll"], [(one["group"], one["state"]) for one in app["masters"]]
    wait_until("all is calm", 2 * SECONDS, look, lambda seen: seen == ("idle", [("active", "ready")] * 2))


# What must be the same before and after.

@contextlib.contextmanager
def nothing_is_left_by(site):
    """Whatever happens inside, PID 1 and its surroundings are the same afterwards."""
    for turn in range(2 * LANES):  # each lane has been used
        site.roll_to(2 - turn % 2)
    settled(site)
    calm = ["/srv/bin/twinit"] + ["php-fpm: master process"] * 2 + ["php-fpm: pool www"] * 16
    before = wait_until("no helper runs", SECONDS, lambda: footprint(site), lambda seen: seen["processes"] == calm)
    memory = memory_kb(site)
    yield
    settled(site)
    wait_until("everything is as before", SECONDS, lambda: differences(before, footprint(site)),
               lambda seen: not seen)
    assert memory_kb(site) <= memory + MEMORY_KB, "memory before and after"
    print("PID 1: %d descriptors, %d processes, %d KB before, %d KB after" % (
        len(before["descriptors"]), len(before["processes"]), memory, memory_kb(site)))


# A roll that is caught in a phase.

def site_for(make_site, phase, **env):
    """A site whose rolls have that phase."""
    return make_site(pool={"pm": "static"}, env={
        "TWINIT_APP_SURGE": str(SURGES.get(phase, 2)), "TWINIT_APP_DRAIN_TIMEOUT": "10s", **QUICK_STOP, **env})


def catch(site, phase):
    """Rolls to release 2 until one is seen in that phase; returns requests that keep it there, and how many rolls
    were over before it: by now it may be over, too."""
    slow = []
    site.current(2)
    for _ in range(50):
        if phase in ("room", "drain"):  # in time, because other phases come first
            slow += [Later(lambda: fpm_post(site.task.address, "/check.php?stay=1000")) for _ in range(4)]
        rolls = site.app()["rolls"]
        site.hup()
        while (app := site.app())["rolls"] == rolls:
            if app["roll"] == phase:
                return slow, rolls
        settled(site)
    raise AssertionError("no roll of 50 was seen in phase %s" % phase)


@pytest.mark.parametrize("phase", PHASES)
def test_hup_in_each_phase_is_one_more_roll_and_loses_nothing(make_site, phase):
    site = site_for(make_site, phase)
    with crowd_of(site) as crowd:
        crowd.wait_answers(50)
        slow, rolls = catch(site, phase)
        site.hup()
        wait_until("two rolls are over", SECONDS, lambda: site.app()["rolls"], lambda seen: seen >= rolls + 2)
        settled(site)
        crowd.wait_answers(50)
    assert site.app()["last_roll"] == "done"
    assert not crowd.failures() and not crowd.refused()
    assert not answers_of_the_past(crowd.records)
    assert [request.record().failure for request in slow] == [None] * len(slow)


@pytest.mark.parametrize("phase", PHASES)
def test_term_in_each_phase_loses_nothing(make_site, phase):
    site = site_for(make_site, phase)
    with Crowd(8, straight(site)) as crowd:
        crowd.wait_answers(50)
        slow, _ = catch(site, phase)
        site.task.send(signal.SIGTERM)
        assert site.task.wait(SECONDS) == 0
        wait_until("nobody accepts any more", SECONDS, crowd.refused)
    assert not crowd.failures()
    assert not answers_of_the_past(crowd.records)
    assert [request.record().failure for request in slow] == [None] * len(slow)
    assert site.task.since()[-1] == "twinit: stopped, exit status 0"


def test_a_thousand_hups_in_a_second_lose_and_leave_nothing(make_site):
    site = make_site(pool={"pm": "static"}, env=QUICK_STOP)
    with crowd_of(site) as crowd, nothing_is_left_by(site):
        rolls = site.app()["rolls"]
        began = time.monotonic()
        for number in range(1000):
            time.sleep(max(0.0, began + number / 1000 - time.monotonic()))  # the pace is what is tested
            site.hup()
        wait_until("rolls are over", SECONDS, lambda: site.app()["rolls"], lambda seen: seen >= rolls + 2)
    print("%d rolls, %d requests" % (site.app()["rolls"] - rolls, len(crowd.records)))
    assert not crowd.failures() and not crowd.refused()


def kill_one(chance, twinit):
    """Kills a child of twinit that is no worker (of a master killed before); returns what it was."""
    victim = chance.choice([pid for pid in children(twinit) if "pool" not in title(pid)])
    kind = re.sub(r" .*", "", title(victim).replace("php-fpm: ", "")) or "dead already"
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    return os.path.basename(kind)


def test_kills_at_any_moment_lose_no_request_and_leave_nothing(make_site):
    """A killed master's workers finish what they have; a killed helper's question is as good as unanswered."""
    print("SEED=%d STORM=%d" % (SEED, STORM))
    chance = random.Random(SEED)
    site = make_site(pool={"pm": "static"}, env={"TWINIT_APP_DRAIN_TIMEOUT": "3s", **QUICK_STOP})
    releases = range(3, 4 + STORM)
    for release in releases:
        site.install_release(release)
    killed = {}
    with crowd_of(site) as crowd, nothing_is_left_by(site):
        for release in releases[:-1]:
            site.current(release)
            site.hup()
            time.sleep(chance.uniform(0, 0.4))  # a random moment
            kind = kill_one(chance, site.task.pid)
            killed[kind] = killed.get(kind, 0) + 1
            settled(site)
        mark = len(crowd.records)
        assert "release %d is active" % releases[-1] in site.roll_to(releases[-1])[-1]
    print("killed: %r; %d requests, %d failed" % (killed, len(crowd.records), len(crowd.failures())))
    assert not crowd.failures() and not crowd.refused()
    assert not answers_of_the_past(crowd.records[mark:])
