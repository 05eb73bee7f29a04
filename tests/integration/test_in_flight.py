"""Item 4: what a roll means for requests that are under way, half accepted, or stuck in a queue."""

import os
import signal

import pytest

from clients import (Crowd, HalfOpen, Later, fpm_answer, fpm_connect, fpm_post, fpm_request, post,
                     release_of_check)
from stack import children, title
from support import QUICK_STOP, SECONDS, processes, still_there, wait_until

GENEROUS_MS = 1000  # for a page that takes one; FPM's own reload makes it wait for seconds


def test_a_request_in_flight_completes_and_nobody_waits_for_it(site, record_property):
    slow = Later(lambda: post(site.port, "/slow.php?ms=4000"))
    with Crowd(4, lambda: post(site.port, "/ping.php")) as crowd:
        crowd.wait_answers(20)
        site.current(2)
        site.hup()
        crowd.wait_answer("pong 2")
        assert slow.under_way(), "the roll was to happen while it is in flight"
        record = slow.record()
    assert (record.failure, record.answer) == (None, "1")
    assert record.end - record.begin >= 4000e6
    assert not crowd.failures() and not crowd.refused()
    assert {record.answer for record in crowd.records} == {"pong 1", "pong 2"}
    record_property("longest_ping_ms", crowd.longest_ms())
    assert crowd.longest_ms() < GENEROUS_MS
    site.wait_rolled(1)


def test_a_nap_in_flight_sleeps_its_full_time(site):
    naps = [Later(lambda: post(site.port, "/nap.php?ms=3000")) for _ in range(4)]
    with Crowd(1, lambda: post(site.port, "/ping.php")) as crowd:
        crowd.wait_answers(20)
        before = site.task.masters()
        site.current(2)
        site.hup()
        crowd.wait_answer("pong 2")
        assert all(nap.under_way() for nap in naps)
        assert set(before) <= set(site.task.masters()), "the old masters stay as long as one naps"
    slept = [nap.record() for nap in naps]
    assert [record.failure for record in slept] == [None] * 4
    assert all(int(record.answer) >= 3000 for record in slept), slept
    site.wait_rolled(1)
    assert not set(before) & set(site.task.masters())


def processors(pid):
    """On how many it may run."""
    return len(os.sched_getaffinity(pid))


def test_old_workers_end_on_half_of_the_processors(site):
    """And the new ones have all of them."""
    masters = site.task.masters()
    stopped = next(pid for master in masters for pid in children(master) if title(pid) == "php-fpm: pool www")
    everything = processors(0)
    os.kill(stopped, signal.SIGSTOP)  # idle, and it does not end before it goes on
    try:
        site.current(2)
        site.hup()
        wait_until("the old worker is on half of the processors", SECONDS, lambda: processors(stopped),
                   lambda seen: seen == everything - everything // 2)
        new = set(site.task.masters()) - set(masters)
        assert [processors(pid) for pid in new] == [everything] * 2
    finally:
        os.kill(stopped, signal.SIGCONT)
    site.wait_rolled(1)


def test_a_signal_would_have_cut_that_nap(site):
    """Or the test above shows nothing."""
    naps = [Later(lambda: post(site.port, "/nap.php?ms=3000")) for _ in range(4)]
    for worker in site.wait_busy(4):
        os.kill(worker, signal.SIGQUIT)
    slept = [nap.record() for nap in naps]
    assert [record.failure for record in slept] == [None] * 4
    # A worker that has the connection does not yet sleep.
    assert any(int(record.answer) < 3000 for record in slept), slept


def finish_and_ask(clients):
    """Lets half-open connections through and asks on all of them at once; returns the records."""
    for client in clients:
        client.finish()
    answers = [Later(lambda client=client: release_of_check(client.ask("/check.php"))) for client in clients]
    return [answer.record() for answer in answers]


def test_handshakes_that_straddle_the_cutover_are_served(site):
    """Begun before it on lane A, they end when nobody is left there: a rescue master answers, on the new release."""
    clients = [HalfOpen(site.task.address) for _ in range(50)]
    lines = site.roll_to(2)
    assert any("draining release 1 ... done" in line for line in lines), lines
    site.wait_masters(2)
    assert not any(client.is_open() for client in clients)
    assert not site.lines("late connection")
    with Crowd(2, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        records = finish_and_ask(clients)
    assert [(record.failure, record.answer) for record in records] == [(None, 2)] * 50
    assert not crowd.failures()
    site.said("a late connection waits on lane A: starting a rescue master")
    # The rescue master goes by itself, and the lane is good for a roll again: A is the turn of one of these.
    site.wait_masters(2)
    lines = []
    for release in (1, 2, 1):
        lines += site.roll_to(release)
        assert release_of_check(post(site.port, "/check.php")) == release
    assert any("on lane A" in line for line in lines), lines


def test_a_half_open_handshake_that_ends_two_rolls_later_is_served(site):
    clients = [HalfOpen(site.task.address) for _ in range(10)]
    site.roll_to(2)
    site.roll_to(1)
    site.roll_to(2)
    records = finish_and_ask(clients)
    assert [(record.failure, record.answer) for record in records] == [(None, 2)] * 10


def test_a_late_connection_that_says_nothing_does_not_keep_the_next_roll_from_working(site):
    client = HalfOpen(site.task.address)
    site.roll_to(2)
    client.finish()
    site.said("a late connection waits on lane A: starting a rescue master")
    lines = site.roll_to(1)
    assert "release 1 is active on 2 replicas" in lines[-1], lines
    client.close()


def test_rescue_serves_what_is_queued_behind_hung_workers(make_site):
    """All workers hang, which is when somebody rolls: only those that hang are cut off, once drain_timeout is over."""
    site = make_site(pool={"pm": "static", "pm.max_children": 2},
                     env={"TWINIT_APP_DRAIN_TIMEOUT": "1s", **QUICK_STOP})
    hung = [Later(lambda: fpm_post(site.task.address, "/slow.php?ms=600000")) for _ in range(2)]
    site.wait_busy(2)
    doomed = processes(site.workers())
    queued = [Later(lambda: release_of_check(fpm_post(site.task.address, "/check.php"))) for _ in range(200)]
    site.current(2)
    site.hup()
    wait_until("release 2 is active", SECONDS, site.app, lambda app: app["release"] == "2")
    assert release_of_check(fpm_post(site.task.address, "/check.php")) == 2
    assert all(request.under_way() for request in hung)
    records = [request.record() for request in queued]
    assert [record.failure for record in records] == [None] * 200
    assert {record.answer for record in records} <= {1, 2} and records[-1].answer == 2
    assert all(request.record().failure for request in hung)
    app = site.wait_rolled(1)
    assert app["release"] == "2"
    site.said(r"draining release 1 took too long with 2 requests left, worker \d+ is 'Running'")
    site.said(r"release 2 is active on 2 replicas \(.*, 2 requests cut\)")
    assert not still_there(doomed)
    site.wait_masters(2)


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_force_has_what_is_queued_behind_hung_workers_served_by_the_new_release(make_site, unix):
    """With a drain_timeout that the test would not survive."""
    site = make_site(unix=unix, pool={"pm": "static", "pm.max_children": 2},
                     env={"TWINIT_APP_DRAIN_TIMEOUT": "10m", **QUICK_STOP})
    hung = [Later(lambda: fpm_post(site.task.address, "/slow.php?ms=600000")) for _ in range(2)]
    site.wait_busy(2)
    doomed = processes(site.workers())
    clients = [fpm_connect(site.task.address) for _ in range(200)]
    for number, client in enumerate(clients):  # some take longer than hung workers get
        client.sendall(fpm_request("/check.php?nap=%d" % (0 if number % 40 else 300)))
    queued = [Later(lambda client=client: release_of_check(answer_and_close(client))) for client in clients]
    assert all(request.under_way() for request in [*hung, *queued])
    site.current(2)
    done = site.task.twinit("restart", "--force")
    records = [request.record() for request in queued]
    assert [(record.failure, record.answer) for record in records] == [(None, 2)] * 200
    assert done.returncode == 0 and "2 requests cut" in done.stdout.splitlines()[-1], done
    assert all(request.record().failure for request in hung)
    wait_until("those that hung are gone", SECONDS, lambda: still_there(doomed), lambda left: not left)
    site.wait_masters(2)
    assert release_of_check(fpm_post(site.task.address, "/check.php")) == 2


def answer_and_close(client):
    """FPM's worker waits until its client closes as well."""
    with client:
        return fpm_answer(client)


def test_a_burst_of_hups_during_a_roll_is_one_more_roll(site):
    with Crowd(4, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(10)
        site.hup()
        site.said("www: release 1 -> 1")
        site.current(2)
        for _ in range(50):
            site.hup()
        wait_until("release 2 is active", SECONDS, site.app,
                   lambda app: app["release"] == "2" and app["roll"] == "idle")
    assert not crowd.failures() and not crowd.refused()
    assert site.app()["rolls"] == 2
    assert len(site.said("one more roll will follow what is under way")) == 1
