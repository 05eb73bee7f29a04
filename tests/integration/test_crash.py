"""Item 5: masters that are killed."""

import contextlib
import os
import signal
import time

from clients import Crowd, fpm_post, post, release_of_check
from support import SECONDS, children, processes, still_there, title, wait_until, workers


def check_over_http(site):
    return lambda: release_of_check(post(site.port, "/check.php"))


def kill_and_note(pids):
    """kill -9; returns (the processes of these masters' workers, when the last kill was over)."""
    those = processes(worker for pid in pids for worker in children(pid))
    assert those
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return those, time.monotonic_ns()


def assert_only_masters_below(site):
    """Every process that twinit has now is a master of FPM or below one: no stray worker, no zombie."""
    wait_until("only masters below twinit", SECONDS, lambda: [title(pid) for pid in children(site.task.pid)],
               lambda titles: len(titles) == 2 and all(one.startswith("php-fpm: master") for one in titles))


def test_after_kill_9_of_one_master_the_other_serves_every_further_request(site):
    with Crowd(16, check_over_http(site), lambda: release_of_check(fpm_post(site.task.address, "/check.php"))) as crowd:
        crowd.wait_answers(100)
        for _ in range(5):
            victim, other = site.wait_masters(2)
            orphans, killed_at = kill_and_note([victim])
            crowd.wait_answers(200)
            assert other in site.task.masters()
            back = site.wait_masters(2)
            assert other in back and victim not in back
            crowd.wait_answers(100)
            assert not crowd.failures(begun_after=killed_at) and not crowd.refused()
            wait_until("its workers are gone", SECONDS, lambda: still_there(orphans), lambda left: not left)
    assert_only_masters_below(site)
    assert {record.answer for record in crowd.records if record.failure is None} == {1}


def test_what_a_killed_masters_workers_were_doing_is_finished(site):
    """The kill hits the master; the request is in a worker, which is told to finish it."""
    with Crowd(8, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(50)
        kill_and_note(site.task.masters()[:1])
        crowd.wait_answers(200)
    assert not crowd.failures() and not crowd.refused()


def test_a_killed_master_comes_back_on_the_active_release_although_the_symlink_was_moved(site):
    site.current(2)
    kill_and_note(site.task.masters()[:1])
    site.wait_masters(2)
    assert {release_of_check(fpm_post(site.task.address, "/check.php")) for _ in range(200)} == {1}
    assert {one["release"] for one in site.app()["masters"]} == {"1"}
    # The move still waits for its roll.
    site.hup()
    site.wait_rolled(1)
    assert {release_of_check(fpm_post(site.task.address, "/check.php")) for _ in range(200)} == {2}


def test_after_kill_9_of_both_masters_both_are_back_on_the_active_release(site):
    site.current(2)
    before = site.task.masters()
    orphans, killed_at = kill_and_note(before)
    # Connections are never refused: the socket is twinit's. They wait for the masters that come.
    with Crowd(8, check_over_http(site)) as crowd:
        crowd.wait_answers(200)
        back = site.wait_masters(2)
    assert not crowd.failures(begun_after=killed_at) and not crowd.refused()
    assert not set(back) & set(before)
    assert {record.answer for record in crowd.records} == {1}
    wait_until("their workers are gone", SECONDS, lambda: still_there(orphans), lambda left: not left)
    assert_only_masters_below(site)
    site.said(r"replica [12]: was killed by signal 9 .*; starting it again in 100 ms", count=2)


def test_a_master_killed_with_all_its_workers_comes_back(site):
    victim = site.task.masters()[0]
    doomed = processes([victim, *children(victim)])
    os.killpg(victim, signal.SIGKILL)
    # A worker may take a connection even when its end is decided.
    wait_until("they are gone", SECONDS, lambda: still_there(doomed), lambda left: not left)
    back = site.wait_masters(2)
    assert victim not in back and all(workers(pid) for pid in back)
    assert {release_of_check(fpm_post(site.task.address, "/check.php")) for _ in range(100)} == {1}


def test_a_master_killed_during_a_roll_does_not_cost_a_request(site):
    with Crowd(8, check_over_http(site)) as crowd:
        crowd.wait_answers(50)
        for roll in range(6):
            victim = site.task.masters()[roll % 2]
            site.current(2 - roll % 2)
            site.hup()
            if roll % 3:
                site.said("cutover" if roll % 3 == 1 else r"www: release \d -> \d", count=roll + 1)
            with contextlib.suppress(ProcessLookupError):  # after the cutover it may have gone by itself
                os.kill(victim, signal.SIGKILL)
            killed_at = time.monotonic_ns()
            site.wait_rolled(roll + 1)
            site.wait_masters(2)
            crowd.wait_answers(50)
            assert not crowd.failures(begun_after=killed_at) and not crowd.refused()


def test_a_master_that_is_killed_again_and_again_comes_back_with_a_growing_pause(site):
    for number, pause in enumerate(("100 ms", "200 ms", "400 ms"), 1):
        os.kill(site.master_of(1), signal.SIGKILL)
        lines = site.said("replica 1: was killed by signal 9 .*; starting it again in", count=number)
        assert lines[-1].endswith("again in " + pause)
        site.wait_masters(2)
