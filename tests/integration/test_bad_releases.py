"""Releases that are bad in each way we know: under load no request fails, and no visitor is served by them."""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import namedtuple
from pathlib import Path

import pytest

from rolling import (GATED, HEALTH, assert_answered, finished, give, link, load, order, page, releases_of, served_by,
                     too_late, wait_phase)
from support import VARIANTS

# Masters whose release decides what they load, where their workers begin, and what runs before each page.
HOOKS = {
    "ini": {"opcache.preload": "/srv/app/current/public/preload.php",
            "auto_prepend_file": "/srv/app/current/public/prepend.php"},
    "pool": {"chdir": "/srv/app/current/lib"},
}
# What hangs, hangs for so long.
ENV = {**GATED, "TWINIT_APP_START_TIMEOUT": "2s"}


def write(name, text):
    """Makes this the page of a release."""
    return lambda site, release: page(site, release, name).write_text(text)


def lock_out(site, release):
    """The folder in which workers begin is closed to them."""
    os.chmod(page(site, release, "..") / "lib", 0o700)


# How a release is spoiled, and what twinit says of it.
Bad = namedtuple("Bad", "spoil why")
BAD = {
    "syntax error in the health script": Bad(write(HEALTH, "<?php echo 'pong"), "/ping.php answered 500"),
    "health 500": Bad(write(HEALTH, "<?php http_response_code(500); echo 'no disk';"),
                      "/ping.php answered 500: 'no disk'"),
    "health redirects": Bad(write(HEALTH, "<?php header('Location: /setup.php');"), "/ping.php answered 302"),
    "health hangs": Bad(write(HEALTH, "<?php while (true) usleep(10000);"), "/ping.php did not answer in time"),
    "fatal in preload": Bad(write("preload.php", "<?php no_such_function();"), "exited with status 70 (software error)"),
    "exit at boot": Bad(write("preload.php", "<?php posix_kill(posix_getpid(), 9);"), "was killed by signal 9"),
    "workers die at once": Bad(lock_out, "was not ready within start_timeout"),
    "workers die of each page": Bad(write("prepend.php", "<?php posix_kill(posix_getpid(), 11);"),
                                    "got no answer, its worker died"),
}


def assert_spared(site, bad, outcome="failed"):
    """A roll to the release that the symlink names, and a deploy of it, fail with that cause, and 1 serves on."""
    with load(site) as crowd:
        crowd.wait_answers(20)
        site.current(2)
        for words, after in ((["restart"], "releases/2"), (["deploy", "2"], "releases/1")):
            status, said = give(site, *words)
            app = site.app()
            assert status == 1, said
            assert bad.why in app["last_roll_why"], "%s: status should say %r" % (app["last_roll_why"], bad.why)
            assert bad.why in said, "%s should say %r" % (said, bad.why)
            assert (app["last_roll"], app["release"], app["ready"]) == (outcome, "1", app["replicas"])
            assert link(site) == after, said
            site.current(1)
            crowd.wait_answers(20)
    assert_answered(crowd)
    assert releases_of(crowd) == {1}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_release_gets_no_visitor(make_site, name):
    site = make_site(env=ENV, **HOOKS)
    BAD[name].spoil(site, 2)
    assert_spared(site, BAD[name])
    # And the next good one comes as if nothing had been.
    site.install_release(3)
    with load(site) as crowd:
        assert give(site, "deploy", "3")[0] == 0
        crowd.wait_answer(3)
    assert_answered(crowd)


def test_a_broken_fpm_config_is_refused(make_site):
    site = make_site(env=ENV)
    broken = site.task.fpm_config / "pool.d" / "zz-zz-broken.conf"
    broken.write_text("[www]\npm.max_childern = 4\n")
    bad = Bad(None, "max_childern")
    assert_spared(site, bad, "refused")
    broken.unlink()
    assert give(site, "deploy", "2")[0] == 0


def test_a_release_that_is_removed_while_it_is_tried(make_site):
    site = make_site(env=ENV)
    page(site, 2, HEALTH).write_text("<?php error_log('the trial has begun'); while (is_dir(__DIR__)) clearstatcache(true);"
                                     "require __DIR__ . '/check.php';")
    with load(site) as crowd:
        crowd.wait_answers(20)
        deploy = order(site, "deploy", "2")
        site.said("the trial has begun")
        shutil.rmtree(page(site, 2, "..").resolve())
        status, said = finished(deploy)
        crowd.wait_answers(20)
    # Whoever had not begun yet does not even find the page.
    assert status == 1 and re.search("answered (500|404)", said), said
    assert link(site) == "releases/1"
    assert_answered(crowd)
    assert releases_of(crowd) == {1}


@pytest.fixture
def small_run_dir():
    """small_run_dir(site): a file system of a few blocks and inodes over the run directory of a site that is prepared."""
    mounted = []

    def mount(site):
        site.prepare()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=64,mode=755", "none", site.task.run_dir], check=True)
        mounted.append(site.task.run_dir)

    yield mount
    for path in mounted:
        subprocess.run(["umount", "--lazy", path], check=True)


def fill(folder, kind):
    """Takes all blocks or all inodes of a file system; returns what to remove."""
    filler = folder / "filler"
    filler.mkdir()
    with contextlib.suppress(OSError):
        for number in itertools.count():
            with open(filler / str(number), "wb") as file:
                file.write(bytes(65536 if kind == "blocks" else 0))
    return filler


@pytest.mark.parametrize("kind, variant, outcome", [("blocks", "namespace", "done"), ("blocks", "path", "refused"),
                                                    ("inodes", "namespace", "failed")])
def test_a_full_disk_below_run_dir(make_site, small_run_dir, kind, variant, outcome):
    """Masters need no block there, except for the generated file of isolation path; their sockets need inodes."""
    options = VARIANTS[variant]
    site = make_site(before=small_run_dir, env={**ENV, **options["env"]})
    filler = fill(site.task.run_dir, kind)
    if outcome != "done":
        assert_spared(site, Bad(None, "No space left on device"), outcome)
        shutil.rmtree(filler)
    assert give(site, "deploy", "2")[0] == 0


@pytest.fixture
def memory_limit():
    """memory_limit(site, bytes): a control group with that limit for the task and all below it."""
    version_1 = Path("/sys/fs/cgroup/memory")
    root = version_1 if version_1.is_dir() else Path("/sys/fs/cgroup")
    made = []

    def limit(site, size):
        group = Path(tempfile.mkdtemp(prefix="twinit-test-", dir=root))
        made.append(group)
        (group / ("memory.limit_in_bytes" if root == version_1 else "memory.max")).write_text(str(size))
        for pid in [site.task.pid, *site.task.descendants()]:
            with contextlib.suppress(ProcessLookupError):  # workers of a probe pool come and go
                (group / "cgroup.procs").write_text(str(pid))

    yield limit
    for group in made:
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (root / "cgroup.procs").write_text(pid)
        group.rmdir()


def test_a_release_that_eats_all_memory_of_the_container(make_site, memory_limit):
    site = make_site(env=ENV, ini={"memory_limit": "-1"})
    memory_limit(site, 192 << 20)
    page(site, 2, HEALTH).write_text("<?php for ($all = []; ; ) $all[] = str_repeat('x', 1 << 20);")
    assert_spared(site, Bad(None, "/ping.php got no answer, its worker died"))


def test_what_cannot_be_published_is_not_rolled_to(make_site):
    site = make_site(env=ENV)
    published = site.directory / "app" / "published"
    published.unlink(missing_ok=True)
    (published / "public").mkdir(parents=True)  # whoever had made a folder there
    assert_spared(site, Bad(None, "cannot publish release 2 at /srv/app/published: Invalid argument"))


# Another way to reach PHP, another way to pin, other numbers of masters.
SOME_BAD = ("health 500", "fatal in preload", "exit at boot")
MORE_VARIANTS = {
    "unix": VARIANTS["unix"],
    "path": VARIANTS["path"],
    "one replica": {"env": {"TWINIT_APP_REPLICAS": "1"}},
    "four replicas": {"env": {"TWINIT_APP_REPLICAS": "4"}},
}


@pytest.mark.parametrize("variant", MORE_VARIANTS)
def test_a_bad_release_gets_no_visitor_in_each_variant(make_site, variant):
    options = MORE_VARIANTS[variant]
    site = make_site(**{**options, **HOOKS, "env": {**ENV, **options["env"]}})
    for name in SOME_BAD:
        shutil.rmtree(page(site, 2, "..").resolve())
        site.install_release(2)
        BAD[name].spoil(site, 2)
        assert_spared(site, BAD[name])


# What shows only after the cutover: the way back.

LINGER = {**GATED, "TWINIT_APP_LINGER": "20s"}
CRASHES = "<?php if (is_file(__DIR__ . '/ill')) posix_kill(posix_getpid(), 11);"
SICKENS = "<?php http_response_code(is_file(__DIR__ . '/ill') ? 500 : 200);"


def fall_ill(site):
    """Release 2 does from now on what it was written to do."""
    page(site, 2, "ill").touch()


def kill_master(site):
    """One new master is gone."""
    os.kill(site.master_of(1), signal.SIGKILL)


# A health interval is one second; this is a deadline, not a measurement.
SOON_MS = 5000

# The page that is replaced, what happens after the cutover, what twinit says of it, may visitors notice?
Late = namedtuple("Late", "name text happens why noticed")
LATE = {
    "workers crash": Late("prepend.php", CRASHES, fall_ill, "workers died", True),
    "health turns 500": Late(HEALTH, SICKENS, fall_ill, "/ping.php answered 500", False),
    "a master is killed": Late("unused.php", "", kill_master, "was killed by signal 9", False),
}


PAIRS = [*(("namespace", name) for name in LATE), *((variant, "workers crash") for variant in MORE_VARIANTS),
         ("one replica", "a master is killed")]


@pytest.mark.parametrize("variant, name", PAIRS)
def test_a_release_that_turns_bad_after_the_cutover_is_taken_back(make_site, variant, name, record_property):
    late, options = LATE[name], {"namespace": VARIANTS["namespace"], **MORE_VARIANTS}[variant]
    site = make_site(ini={"auto_prepend_file": "/srv/app/current/public/prepend.php"},
                     **{**options, "env": {**LINGER, **options["env"]}})
    page(site, 2, late.name).write_text(late.text)
    with load(site) as crowd:
        crowd.wait_answers(20)
        deploy = order(site, "deploy", "2")
        crowd.wait_answer(2)
        wait_phase(site, "watch")
        began = time.monotonic_ns()
        late.happens(site)
        status, said = finished(deploy)
        crowd.wait_answers(50)
    assert status == 1 and "taken back" in said, said
    app = site.app()
    assert late.why in app["last_roll_why"]
    assert (app["last_roll"], app["release"], link(site)) == ("taken-back", "1", "releases/1")
    lost, saw = crowd.failures(), served_by(crowd.records, 2)
    back_ms = max(0, max(record.begin for record in saw) - began) / 1e6
    print("%s, %s: back after %.0f ms; %d requests answered by the bad release, %d failed, of %d"
          % (name, variant, back_ms, len(saw) - len(lost), len(lost), len(crowd.records)))
    record_property("back_ms", back_ms)
    assert back_ms < SOON_MS
    assert late.noticed or not lost, lost[0]
    assert not crowd.refused() and not [record for record in lost if record.end < began]
    assert not too_late(crowd.records, 2)
