"""Every command while all workers are busy, while Redis hangs, and during rolls that take their time.

One site a situation, where each command is given in turn: it says all that it says otherwise, with the right exit
status and within its time, and no visitor is lost.
"""

import contextlib
import json
import re
import signal
import subprocess
import time
from collections import namedtuple

import pytest

from clients import Crowd, Later, Visitor, fpm_post, post, release_of_check
from rolling import GATED, finished, link, order, page, wait_phase
from support import SECONDS, Site, wait_until
from test_metrics import of

ROOT = "/srv/app/current/public"
UNTIL_GO = "/check.php?until=%s/../go" % ROOT
UNTIL_READY = """<?php
while (!file_exists(__DIR__ . '/../ready')) {
    usleep(1000);
}
"""
PATIENCE = 10  # a running twinit is waited for 5 s, and its masters for 1 s
LONG = 30  # for those who ask the stores, or PHP itself
PATIENT = {"TWINIT_APP_DRAIN_TIMEOUT": "120s", "TWINIT_APP_START_TIMEOUT": "120s"}


# The situations. Each lasts as long as its `with`, in which visitors come all the time; all of them get an answer.

@contextlib.contextmanager
def visitors(site):
    """They ask again and again."""
    with Crowd(2, lambda: release_of_check(post(site.port, "/check.php?stay=5"))) as crowd:
        crowd.wait_answers(2)
        yield
        crowd.wait_answers(2)
    assert not crowd.failures() and not crowd.refused(), (crowd.failures() + crowd.refused())[0]


@contextlib.contextmanager
def at_work(site, count):
    """So many requests are under way, or wait in the queue, until the end."""
    requests = [Later(lambda: release_of_check(fpm_post(site.task.address, UNTIL_GO))) for _ in range(count)]
    try:
        yield
    finally:
        (site.directory / "app" / "releases" / "1" / "go").touch()
    for one in requests:
        assert one.record().failure is None, one.record().failure


@contextlib.contextmanager
def calm(site):
    """Nothing special."""
    with visitors(site):
        yield


@contextlib.contextmanager
def all_workers_busy(site):
    """Two workers and five visitors."""
    with at_work(site, 5):
        wait_until("three wait in the queue", SECONDS, lambda: site.app()["workers"]["listen_queue"],
                   lambda waiting: waiting == 3)
        yield


@contextlib.contextmanager
def redis_hangs(site):
    """Who has no session does not notice, and who has one keeps it."""
    visitor = Visitor(site.port)
    assert visitor.visit().count == 1
    with visitors(site):
        site.redis.send(signal.SIGSTOP)
        try:
            site.said("session store lost, serving on without it")
            yield
        finally:
            site.redis.send(signal.SIGCONT)
        site.said("session store is well")
    assert visitor.visit().count == 2


@contextlib.contextmanager
def old_masters_drain(site):
    """A roll that waits for a slow request, with release 2 in service."""
    with visitors(site), at_work(site, 1):
        site.wait_busy(1)
        site.current(2)
        roll = order(site, "restart")
        wait_phase(site, "drain")
        yield
    assert finished(roll)[0] == 0


@contextlib.contextmanager
def new_masters_take_long(site):
    """A roll whose new masters are not healthy yet."""
    page(site, 2, "ping.php").write_text(UNTIL_READY)
    with visitors(site):
        site.current(2)
        roll = order(site, "restart")
        wait_phase(site, "build")
        yield
        (site.directory / "app" / "releases" / "2" / "ready").touch()
        assert finished(roll)[0] == 0


class Now(namedtuple("Now", "name site release words")):
    """A situation in which a site is: the release in service, and what `status` says of it."""

    def twinit(self, *words):
        """`docker exec CONTAINER twinit WORDS...`: what came of it, and how many seconds it took."""
        env = ["%s=%s" % item for item in self.site.task.environment().items()]
        began = time.monotonic()
        done = subprocess.run(["nsenter", "--target", str(self.site.task.pid), "--mount", "--pid", "--net", "env", "-i",
                               *env, "/srv/bin/twinit", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=2 * LONG, check=False)
        return done, time.monotonic() - began


SITUATIONS = {
    calm: (1, "sessions: ok", {}),
    all_workers_busy: (1, "queue 3", {"pool": {"pm": "static", "pm.max_children": "2"}}),
    redis_hangs: (1, "sessions: LOST", {"env": {"TWINIT_SESSIONS_EVERY": "1s"}}),
    old_masters_drain: (2, "drain waits for 1 request", {}),
    new_masters_take_long: (1, "rolling now: build", {}),
}


@pytest.fixture(scope="module", params=SITUATIONS, ids=lambda situation: situation.__name__)
def now(request):
    """A site that is in that situation for all tests of it."""
    release, words, options = SITUATIONS[request.param]
    site = Site(**{**options, "env": {**GATED, **PATIENT, **options.get("env", {})}})
    try:
        site.start()
        with request.param(site):
            yield Now(request.param.__name__, site, release, words)
    finally:
        site.end()


# What is complete.

def says_all(now, text):
    """The table of `status`, and what is special."""
    for number in 1, 2:
        assert re.search(r"^www/%d +ready +[A-D] +<?\d+ms +\d+ +%d " % (number, now.release), text, re.M), text
    assert now.words in text and re.search("^www: release %d, 2 of 2 replicas ready" % now.release, text, re.M), text


def says_it_to_scripts(now, text):
    """`status --json`."""
    app = json.loads(text)["apps"][0]
    active = [one for one in app["masters"] if one["group"] == "active"]
    assert app["release"] == str(now.release) and len(active) == 2, text
    assert all(one["answers"] and one["workers"]["active"] >= 0 and one["memory_bytes"] for one in active), text
    assert app["sessions"]["state"] == ("failed" if now.name == "redis_hangs" else "ok"), text


def lists(now, text):
    """A line each."""
    assert re.fullmatch(r"(www/[12] ready release %d, pid \d+\n){2}" % now.release, text), text


def lists_to_scripts(now, text):
    """An object each."""
    assert [(one["replica"], one["state"], one["release"]) for one in json.loads(text)] == [
        (number, "ready", str(now.release)) for number in (1, 2)], text


def shows_a_tree(_, text):
    """All masters there are, and workers."""
    assert re.search(r"^ *1 twinit ", text, re.M) and "php-fpm: pool www\n" in text, text
    assert all(re.search(r"^ *\d+ www/%d " % number, text, re.M) for number in (1, 2)), text


def has_all_metrics(now, text):
    """Numbers of the container, of each replica's FPM, and of the store."""
    assert of(text, "twinit_healthy") == 1 and of(text, "twinit_replicas", group="active", state="ready") == 2
    assert of(text, "twinit_listen_queue") == 3 or now.name != "all_workers_busy"
    assert of(text, "twinit_sessions_up") == (now.name != "redis_hangs")


def is_open_metrics(now, text):
    """The same with an end."""
    assert text.endswith("\n# EOF\n")
    has_all_metrics(now, text)


def checks(now, text):
    """A line a finding; the only problem is a store that hangs."""
    assert re.search(r"^\d+ ok, \d+ warnings?, %d problems?$" % (now.name == "redis_hangs"), text, re.M), text


def checks_for_scripts(now, text):
    """PHP is asked in any case, and the running twinit."""
    found = {(one["id"], one["result"]) for one in json.loads(text)["findings"]}
    hangs = now.name == "redis_hangs"
    assert found >= {("fpm", "ok"), ("keep-conn", "ok"), ("twinit", "warning" if hangs else "ok")}, text
    assert {name for name, result in found if result == "problem"} == ({"sessions"} if hangs else set()), text


def asks_the_stores(now, text):
    """Whether PHP itself reads what it has written, or why nothing can be said."""
    if now.name == "redis_hangs":
        assert "does not answer PING within 2000 ms" in text, text
    else:
        assert "what replica 1 writes is read by 1 replica, by PHP itself" in text, text


def asks_the_stores_for_scripts(now, text):
    """The same."""
    assert json.loads(text)["apps"][0]["state"] == ("failed" if now.name == "redis_hangs" else "ok"), text
    asks_the_stores(now, text)


def is_healthy(now, text):
    """A store that is lost is no reason to end the container."""
    assert re.fullmatch("healthy, degraded: .*PING.*\n" if now.name == "redis_hangs" else "healthy\n", text), text


def names_the_release(now, text):
    """The page that says which release it is of: the one in service."""
    assert text == "asset-%d.txt" % now.release, text


def nothing(_, text):
    """Not a word."""
    assert text == ""


def explains(_, text):
    """Each command."""
    assert all("  twinit " + name in text for name in ("status", "fcgi", "help")), text


LOOKS = {
    "status": (says_all, PATIENCE),
    "status www": (says_all, PATIENCE),
    "status -q": (nothing, PATIENCE),
    "status --json": (says_it_to_scripts, PATIENCE),
    "list": (lists, PATIENCE),
    "list --json": (lists_to_scripts, PATIENCE),
    "ps": (shows_a_tree, PATIENCE),
    "metrics": (has_all_metrics, PATIENCE),
    "metrics --openmetrics": (is_open_metrics, PATIENCE),
    "check": (checks, LONG),
    "check --json": (checks_for_scripts, LONG),
    "sessions": (asks_the_stores, LONG),
    "sessions --json": (asks_the_stores_for_scripts, LONG),
    "health": (is_healthy, PATIENCE),
    # Not by a worker that has visitors: masters have one for such questions.
    "fcgi --replica www/1 %s/asset.php" % ROOT: (names_the_release, PATIENCE),
    "fcgi --replica www/2 %s/asset.php" % ROOT: (names_the_release, PATIENCE),
    "help": (explains, PATIENCE),
}
STORE = ("check", "sessions")  # what fails when Redis hangs


@pytest.mark.parametrize("words", LOOKS)
def test_a_command_answers_in_full(now, words):
    complete, patience = LOOKS[words]
    done, seconds = now.twinit(*words.split())
    expected = int(now.name == "redis_hangs" and words.split()[0] in STORE)
    assert (done.returncode, done.stderr) == (expected, ""), done
    assert seconds < patience, "it took %.1f s" % seconds
    complete(now, done.stdout)


def test_a_visitors_worker_answers_fcgi_when_one_is_free(now):
    done, _ = now.twinit("fcgi", "--timeout", "1" if now.name == "all_workers_busy" else "30", now.site.task.listen,
                         ROOT + "/asset.php")
    if now.name == "all_workers_busy":
        assert done.returncode == 28 and "all workers are busy" in done.stderr, done
    else:
        assert (done.returncode, done.stdout) == (0, "asset-%d.txt" % now.release), done


# Orders, after all questions, because they change something. {situation: [(words, exit status, what is said)]}

ROLLING = [("start", 1, "a roll is under way"), ("stop www 2", 1, "a roll is under way"),
           ("stop all", 1, "a roll is under way"), ("restart www 1", 1, "a roll is under way")]
ORDERS = {
    "calm": [("stop www 2", 0, ""), ("start www 2", 0, ""), ("restart", 0, "release 1 is active on 2 replicas"),
             ("deploy 2", 0, "release 2 is active on 2 replicas")],
    "all_workers_busy": [("start", 0, ""), ("stop all", 1, "nobody would be left"),
                         ("deploy no-such", 1, "nothing was touched"), ("restart --no-wait", 0, "")],
    "redis_hangs": [("start", 0, ""), ("stop www 2", 0, ""), ("start www 2", 0, ""),
                    ("restart", 1, "nothing was touched: session store"), ("deploy 2", 1, "nothing was touched")],
    "old_masters_drain": [*ROLLING, ("deploy --no-wait 1", 0, "deploying release 1")],
    "new_masters_take_long": [*ROLLING, ("deploy 1", 1, "a roll is under way"),
                              ("restart --no-wait", 0, "one more roll will follow")],
}


def test_orders_are_carried_out_or_refused(now):
    for words, status, said in ORDERS[now.name]:
        done, seconds = now.twinit(*words.split())
        assert done.returncode == status and said in done.stdout + done.stderr, (words, done)
        assert seconds < LONG, "`%s` took %.1f s" % (words, seconds)
    if now.name == "redis_hangs":
        assert link(now.site) == "releases/1", "a deploy that is refused leaves the link alone"
