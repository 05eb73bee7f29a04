"""Item 6, first half: how a container stops."""

import os
import signal
from pathlib import Path

import pytest

from clients import Crowd, Later, ask_once, fpm_connect, fpm_answer, fpm_post, fpm_request, post, release_of_check
from support import (HOST, QUICK_STOP, SECONDS, children, fpm_masters, in_namespace, namespace, port_problem, process,
                     sockets_of, wait_until, workers)

# twinit below an init that is none: whatever it leaves behind stays, and can be counted.
SUBREAPER = ["/bin/sh", "-c", '/srv/bin/twinit & pid=$!; wait $pid; echo "twinit: exit status $?"; exec sleep 600']


def fpm_check(site, connect_timeout=0.5):
    """A request straight to FPM; what is not accepted in that time counts as refused."""
    return lambda: release_of_check(fpm_post(site.task.address, "/check.php", connect_timeout=connect_timeout))


@pytest.mark.parametrize("variant", ["tcp", "unix"])
def test_term_under_load_answers_everything_that_was_accepted(make_site, variant):
    site = make_site(unix=variant == "unix")  # with the default `quiet`
    slow = Later(lambda: fpm_post(site.task.address, "/slow.php?ms=2500"))
    nap = Later(lambda: fpm_post(site.task.address, "/nap.php?ms=2500"))
    with Crowd(32, fpm_check(site), lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(300)
        site.task.send(signal.SIGTERM)
        site.said("stopping, within 8.0 s")
        crowd.wait_answers(100)  # it goes on accepting for `quiet`
        assert site.task.wait(SECONDS) == 0
        wait_until("nobody accepts any more", SECONDS, crowd.refused)
    straight = [record for record in crowd.failures() if "HTTP status 50" not in record.failure]
    assert not straight
    # What nginx could not deliver any more is not PHP's: it must have been refused, not broken off.
    for line in site.nginx.since():
        assert "prematurely closed" not in line and "reset by peer" not in line, line
    assert (slow.record().failure, slow.record().answer) == (None, "1")
    assert nap.record().failure is None and int(nap.record().answer) >= 2500
    assert site.task.since()[-1] == "twinit: stopped, exit status 0"


def test_a_connection_that_is_quiet_for_a_while_is_served_during_the_stop(site):
    client = fpm_connect(site.task.address)
    site.task.send(signal.SIGTERM)
    site.said("stopping")
    client.sendall(fpm_request("/check.php"))
    assert release_of_check(fpm_answer(client)) == 1
    client.close()
    assert site.task.wait(SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_nothing_is_left_where_twinit_is_not_pid_1(make_site, number):
    site = make_site(command=SUBREAPER, env=QUICK_STOP)
    shell = site.task.pid
    twinit = next(iter(children(shell)))
    wait_until("twinit is healthy", SECONDS, lambda: site.task.twinit("health").returncode, lambda code: code == 0)
    which = namespace(shell, "pid")
    assert len(in_namespace("pid", which)) > 6, "twinit, masters and workers"
    with Crowd(16, fpm_check(site)) as crowd:
        crowd.wait_answers(100)
        os.kill(twinit, number)
        site.said("twinit: exit status 0$")
        left = in_namespace("pid", which)
        wait_until("nobody accepts any more", SECONDS, crowd.refused)
    assert set(left) == {shell}, left
    assert not port_problem(site.task.port)
    if number != signal.SIGINT:  # which cuts
        assert not crowd.failures()
    site.task.send(signal.SIGKILL)  # the shell, which as PID 1 hears nothing else
    site.task.wait(SECONDS)
    # Of the run directory only empty folders: no socket, no pid file, no generated code.
    assert [path for path in site.task.run_dir.rglob("*") if not path.is_dir()] == []


def test_twinit_stop_does_what_term_does(site):
    slow = Later(lambda: fpm_post(site.task.address, "/slow.php?ms=1000"))
    site.wait_busy(1)
    done = site.task.twinit("stop")
    assert done.returncode == 0, done.stderr
    assert site.task.wait(SECONDS) == 0
    assert (slow.record().failure, slow.record().answer) == (None, "1")


def test_int_stops_at_once(make_site):
    site = make_site()
    slow = Later(lambda: fpm_post(site.task.address, "/slow.php?ms=60000"))
    site.wait_busy(1)
    mark = process(site.task.pid)
    site.task.send(signal.SIGINT)
    assert site.task.wait(SECONDS) == 0
    assert slow.record().failure
    assert process(mark.pid) != mark


def test_what_does_not_finish_is_ended_within_stop_timeout(make_site):
    site = make_site(env={"TWINIT_APP_STOP_TIMEOUT": "4s", **QUICK_STOP})
    hung = Later(lambda: fpm_post(site.task.address, "/slow.php?ms=600000"))
    site.wait_busy(1)
    quick = ask_once(fpm_check(site))
    assert quick.failure is None
    site.task.send(signal.SIGTERM)
    assert site.task.wait(SECONDS) == 0
    assert hung.record().failure


def test_term_during_the_boot_leaves_at_once_with_nothing_started(cold_site):
    site = cold_site(redis=False)  # so that the boot waits
    site.task.start()
    site.said("isolation namespace")
    site.task.send(signal.SIGTERM)
    assert site.task.wait(SECONDS) == 0
    assert not site.lines("fpm is running") and not port_problem(site.task.port)


def test_term_during_a_roll_loses_nothing(site):
    with Crowd(16, fpm_check(site)) as crowd:
        crowd.wait_answers(100)
        site.current(2)
        site.hup()
        site.said("release 1 -> 2")
        site.task.send(signal.SIGTERM)
        assert site.task.wait(SECONDS) == 0
    assert not crowd.failures()


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_one_of_two_tasks_stops_under_posts_and_no_visitor_notices(make_site, unix):
    """With nginx as it is shipped: what found no connection, or was not accepted within 2 s, is for the other task.

    A POST that PHP may have seen is never repeated, so none that was accepted and lost can hide here.
    """
    site = make_site(tasks=2, retries=True, unix=unix, command=SUBREAPER)  # with the default `quiet`
    stays, goes = site.tasks
    twinit = wait_until("twinit runs", SECONDS, lambda: children(goes.pid))[0]
    for task in site.tasks:
        wait_until("it is healthy", SECONDS, lambda task=task: task.twinit("health").returncode, lambda code: code == 0)
    naps = [Later(lambda: post(site.port, "/nap.php?ms=4000")) for _ in range(8)]
    slow = Later(lambda: fpm_post(goes.address, "/slow.php?ms=4000"))
    busy = wait_until("a nap and the slow one are its", SECONDS, lambda: busy_below(twinit), lambda seen: len(seen) > 1)
    with Crowd(16, lambda: release_of_check(post(site.port, "/check.php?nap=4"))) as crowd:
        crowd.wait_answers(300)
        os.kill(twinit, signal.SIGTERM)
        site.said("stopping, within 8.0 s", task=goes)
        crowd.wait_answers(300)
        assert busy & busy_below(twinit), "the stop was to happen while they are under way"
        site.said("twinit: exit status 0$", task=goes)
        left = in_namespace("pid", namespace(goes.pid, "pid"))
        crowd.wait_answers(300)
    print("%d requests, %d failed, longest %d ms" % (len(crowd.records), len(crowd.failures()), crowd.longest_ms()))
    assert not crowd.failures() and not crowd.refused()
    assert (slow.record().failure, slow.record().answer) == (None, "1")
    slept = [nap.record() for nap in naps]
    assert [record.failure for record in slept] == [None] * 8
    assert all(int(record.answer) >= 4000 for record in slept), slept
    for line in site.nginx.since():  # the proof that nothing was repeated that had begun
        assert "prematurely closed" not in line and "reset by peer" not in line, line
    assert set(left) == {goes.pid}, left
    assert unix or not port_problem(goes.port)
    assert not unix or not Path(goes.address).exists()
    assert [path for path in goes.run_dir.rglob("*") if not path.is_dir()] == []
    for task in site.tasks:
        task.send(signal.SIGKILL)  # the shells, which as PID 1 hear nothing else
        task.wait(SECONDS)


def busy_below(twinit):
    """Workers below this twinit that have a connection."""
    return {pid for master in fpm_masters(twinit) for pid in workers(master) if len(sockets_of(pid)) > 1}


def test_a_refused_connection_is_all_that_is_left_of_the_port(site):
    assert site.task.stop() == 0
    record = ask_once(lambda: fpm_post((HOST, site.task.port), "/check.php"))
    assert not record.accepted and "refused" in record.failure


def test_no_command_finds_a_twinit_that_has_gone(site):
    assert site.task.stop() == 0
    done = site.task.twinit("status")
    assert done.returncode == 1 and "no running twinit at %s" % site.task.run_dir in done.stderr
