"""Item 3 of the session check: tasks that share a store see each other, and those that do not are told."""

import contextlib

import pytest

import places
import stores
import support
from support import QUICK_STOP, SECONDS, wait_until
from test_store_faults import ask, found

FIRST, SECOND = "10.213.7.1", "10.213.7.2"
OFTEN = {"TWINIT_SESSIONS_EVERY": "500ms", **QUICK_STOP}


@pytest.fixture
def two_tasks(cold_site):
    """two_tasks(where, **renamed): two tasks, each in a network of its own, of the service php.

    where has the address of the store for each; renamed is {host name: the one it has instead}.
    """
    with places.two_networks(FIRST, SECOND) as enter, contextlib.ExitStack() as opened:
        hosts = {"tasks.php": [FIRST, SECOND]}
        place = opened.enter_context(places.Place(hosts, networks=dict(zip(("task1", "task2"), enter))))

        def make(where, **renamed):
            place.renamed = renamed
            site = cold_site(redis=False, tasks=2, env={"TWINIT_SESSIONS_SERVICE": "php", **OFTEN})
            site.namespaces = place
            for address, before in zip((FIRST, SECOND), enter):
                if address in where:
                    redis = stores.Redis(site.directory, site.redis_port, *stores.GOOD, "--protected-mode", "no",
                                         host=address, before=before)
                    opened.callback(redis.stop)
                    redis.process.wait_line("Ready to accept connections")
            for task, address in zip(site.tasks, where):
                task.env = {"REDIS_HOST": address}
                task.start()
            for task in site.tasks:
                task.wait_ready()
            return site

        yield make


def members(task):
    """{hostname: a member} as `twinit status --json` lists them."""
    return {one["hostname"]: one for one in task.status_json()["apps"][0]["sessions"]["members"]}


def test_two_tasks_on_one_store_see_each_other(two_tasks):
    site = two_tasks([FIRST, FIRST])
    for task, own in zip(site.tasks, ("task1", "task2")):
        seen = wait_until("two members", SECONDS, lambda task=task: members(task), lambda found: len(found) == 2)
        assert set(seen) == {"task1", "task2"}
        assert [name for name, one in seen.items() if one["self"]] == [own]
        assert {one["service"] for one in seen.values()} == {"php"}
        code, said, _ = ask(task)
        assert code == 0, found(said, "failed")
        assert found(said, "ok", "tasks") and not found(said, "warning", "tasks"), said
        assert not found(said, "warning", "hostname")
        assert "shared with task%d" % (3 - task.number) in task.twinit("status").stdout

    site.tasks[1].stop()
    wait_until("the one that stopped is gone", SECONDS, lambda: members(site.tasks[0]), lambda seen: len(seen) == 1)


def test_two_tasks_on_two_stores_report_each_other_as_split(two_tasks):
    site = two_tasks([FIRST, SECOND])
    for task, own, other in zip(site.tasks, ("task1", "task2"), (SECOND, FIRST)):
        said = wait_until("a split", 60, lambda task=task: ask(task)[1], lambda said: found(said, "warning", "tasks"))
        split, = found(said, "warning", "tasks")
        assert other in split["subject"] + split["seen"], split
        assert split["fix"]
        assert set(members(task)) == {own}
        # It warns: fresh tasks make it true by themselves.
        assert task.status_json()["degraded"] is False
        assert "is active on 2 replicas" in task.restart()
        assert support.wait_until("said once", SECONDS, lambda task=task: site.lines(other, task), bool)


def test_two_tasks_with_one_host_name_are_warned_of(two_tasks):
    site = two_tasks([FIRST, FIRST], task2="task1")
    for task, other in zip(site.tasks, (SECOND, FIRST)):
        said = wait_until("the other one is there", SECONDS, lambda task=task: ask(task)[1],
                          lambda said: found(said, "warning", "hostname"))
        double, = found(said, "warning", "hostname")
        assert other in double["seen"] and "hostname:" in double["fix"], double
