"""Whatever runs PHP has no power, however releases are pinned and whatever a master is there for."""

import contextlib
import json
import os
import re
import shutil
import socket
from pathlib import Path

import pytest

from clients import HalfOpen, Later, fpm_post, release_of_check
from rolling import page
from support import QUICK_STOP, SECONDS, assert_is_powerless, children, fpm_masters, title, wait_until

MODES = {mode: {"TWINIT_ISOLATION": mode, "TWINIT_APP_DOCROOT": "public", **QUICK_STOP}
         for mode in ("namespace", "path", "none")}


def tree(twinit):
    """{master: {pid: title}} of all processes below each FPM master, itself included."""
    return {master: {pid: title(pid) for pid in [master, *children(master)]} for master in fpm_masters(twinit)}


KINDS = {"php-fpm: master process", "php-fpm: pool www", "php-fpm: pool twinit-www"}


def assert_tree_is_powerless(site, masters):
    """Each master has workers of both pools, and nobody in the tree has power; the number of those looked at.

    A connection to each probe pool starts its worker, which waits some seconds for a first byte. One that serves a
    probe of twinit's before that ends afterwards, and the next one comes.
    """
    with contextlib.ExitStack() as stack:
        for path in (site.task.run_dir / "private").glob("*.p"):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))
        seen = wait_until(
            "%d masters with workers of both pools" % masters, SECONDS, lambda: tree(site.task.pid),
            lambda seen: len(seen) == masters and all(
                KINDS <= {name.split(" (")[0] for name in processes.values()} for processes in seen.values()))
        for processes in seen.values():
            for pid in processes:
                assert_is_powerless(pid)
    return sum(map(len, seen.values()))


@pytest.mark.parametrize("mode", MODES)
def test_every_process_of_an_fpm_tree_is_powerless(make_site, mode):
    site = make_site(env=MODES[mode], pool={"pm": "static", "pm.max_children": 4})  # nobody comes and goes meanwhile
    assert site.app()["isolation"] == mode
    print(assert_tree_is_powerless(site, 2), "processes")
    # So are those of a roll: old ones that drain, new ones, and a rescue master for a late connection.
    slow = Later(lambda: fpm_post(site.task.address, "/nap.php?ms=2000"))
    site.wait_busy(1)
    with contextlib.closing(HalfOpen(site.task.address)) as late:
        site.current(2)
        site.hup()
        wait_until("release 2 is active", SECONDS, site.app, lambda app: app["release"] == "2")
        print(assert_tree_is_powerless(site, 4), "processes")
        assert slow.under_way()
        assert slow.record().failure is None
        site.wait_rolled(1)
        late.finish()
        answer = Later(lambda: release_of_check(late.ask("/check.php?nap=2000")))
        site.said("a late connection waits on lane A: starting a rescue master")
        wait_until("a rescue master", SECONDS, lambda: fpm_masters(site.task.pid), lambda found: len(found) == 3)
        site.wait_busy(1)
        print(assert_tree_is_powerless(site, 3), "processes")
        assert (answer.record().failure, answer.record().answer) == (None, 2)


PROBE = """<?php
$shared = @shmop_open(0x7431, 'c', 0600, 16);
if ($shared) shmop_delete($shared);
echo json_encode(['shared' => (bool)$shared, 'unshare' => shell_exec('unshare -U true 2>&1') ?? '',
                  'run_dir' => array_values(array_filter(['control', 'private', 'pin', 'pid'], fn($name) =>
                      file_exists(getenv('RUN_DIR') . '/' . $name)))]);
"""
# What a worker lives under beside the container's own: what is denied, what is newer, what is allowed.
CONFINED = {"standard": (3, True), "strict": (3, False), "off": (0, True)}


def probe(site):
    return json.loads(site.get("/probe.php").body)


def filters(pid):
    return int(re.search(r"^Seccomp_filters:\s*(\d+)", Path("/proc/%s/status" % pid).read_text(), re.M)[1])


def make_probed(make_site, **env):
    """A site whose releases have a page that tries things, in a container without a filter of its own."""
    site = make_site(env={**QUICK_STOP, **env}, pool={"env[RUN_DIR]": "/srv/run"})
    for release in (1, 2):
        page(site, release, "probe.php").write_text(PROBE)
    assert filters("self") == 0, "this machine confines the tests themselves"
    return site


@pytest.mark.parametrize("confine", CONFINED)
def test_confine_is_what_was_asked_for(make_site, confine):
    site = make_probed(make_site, TWINIT_APP_CONFINE=confine)
    count, shared = CONFINED[confine]
    assert {filters(pid) for pids in tree(site.task.pid).values() for pid in pids} == {count}
    seen = probe(site)
    assert seen["shared"] == shared, seen
    assert ("Operation not permitted" in seen["unshare"]) == (confine != "off"), seen
    assert bool(site.lines("warning: www: confine = off")) == (confine == "off")
    assert bool(site.lines("the container has no syscall filter")) == (confine == "standard")


@pytest.mark.parametrize("mode", ["namespace", "path"])
def test_run_dir_is_hidden_where_masters_have_a_namespace(make_site, mode):
    site = make_probed(make_site, TWINIT_ISOLATION=mode, TWINIT_APP_DOCROOT="public")
    seen = probe(site)
    assert seen["run_dir"] == [*(["control", "private"] if mode == "path" else []), "pin", "pid"], seen
    site.roll_to(2)


LOOK = """<?php
foreach (['environ', 'mem', 'maps', 'root/', 'fd/0'] as $name)
    if (@fopen("/proc/$_GET[pid]/$name", 'r')) echo $name, " is open\\n";
"""


def of_root(pid):
    """Whether the kernel gives /proc/PID to root, as it does with a process that is not dumpable."""
    return Path("/proc/%d/environ" % pid).stat().st_uid == 0


@pytest.mark.parametrize("mode", MODES)
def test_processes_of_phps_user_do_not_see_into_each_other(make_site, mode):
    site = make_site(env=MODES[mode])
    pids = [pid for pids in tree(site.task.pid).values() for pid in pids]
    assert len(pids) > 2 and all(map(of_root, pids)), [(pid, title(pid), of_root(pid)) for pid in pids]
    # What others know them by is as ever.
    names = {Path("/proc/%d/comm" % pid).read_text().strip() for pid in pids}
    assert len(names) == 1 and names.pop().startswith("php-fpm")
    other = fpm_masters(site.task.pid)[0]
    page(site, 1, "look.php").write_text(LOOK)
    inside = re.search(r"^NSpid:.*\s(\d+)$", Path("/proc/%d/status" % other).read_text(), re.M)[1]
    assert site.get("/look.php?pid=%s" % inside).body == ""


def test_a_slow_log_needs_processes_that_can_be_looked_into(make_site):
    site = make_site(env=QUICK_STOP, pool={"request_slowlog_timeout": "1s", "slowlog": "/dev/null"})
    assert not any(of_root(pid) for pids in tree(site.task.pid).values() for pid in pids)


def copies(site):
    """Which php-fpm the masters run."""
    return {os.stat("/proc/%d/exe" % master).st_ino for master in fpm_masters(site.task.pid)}


def test_masters_of_all_releases_share_one_copy_of_php_fpm_until_that_changes(make_site):
    def bring_php_fpm(site):
        site.prepare()
        shutil.copy2("/usr/sbin/php-fpm8.2", site.directory / "app" / "php-fpm")
    site = make_site(before=bring_php_fpm, env={"TWINIT_APP_PHP_FPM": "/srv/app/php-fpm", **QUICK_STOP})
    first = copies(site)
    site.roll_to(2)
    site.wait_masters()
    assert copies(site) == first and len(first) == 1
    with open(site.directory / "app" / "php-fpm", "ab") as file:
        file.write(b"\0")
    site.roll_to(1)
    site.wait_masters()
    assert len(copies(site)) == 1 and copies(site) != first
    assert all(of_root(pid) for pids in tree(site.task.pid).values() for pid in pids)
