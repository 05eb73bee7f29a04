"""Pools that cannot share one unprivileged master: several users, chroot, their own priorities."""

import os
import pwd
import signal

import pytest

from clients import Crowd, fpm_post, release_of_check
from support import (QUICK_STOP, SECONDS, VARIANTS, children, errors_of, fpm_masters, free_ports, start_and_wait_for_end,
                     status_field, title, wait_until)

CAPS = {"CHOWN": 0, "KILL": 5, "SETGID": 6, "SETUID": 7, "SYS_CHROOT": 18, "SYS_PTRACE": 19, "SYS_NICE": 23}
LEAST = {"SETUID", "SETGID", "KILL"}
OTHER_USER = "backup"  # one that every Debian has


def mask(names):
    """The capability set as /proc shows it."""
    return sum(1 << CAPS[name] for name in names)


def pool_text(name, port, **directives):
    """A pool as in pool.d; underscores in names of directives stand for dots."""
    lines = {"user": "www-data", "listen": "127.0.0.1:%d" % port, "pm": "static", "pm.max_children": 2,
             **{key.replace("__", "."): value for key, value in directives.items()}}
    return "[%s]\n" % name + "".join("%s = %s\n" % item for item in lines.items())


def add_pools(site, *texts):
    """Further pools for the first task, read after the sample site's own."""
    site.prepare()
    path = site.task.fpm_config / "pool.d" / "zzz-more.conf"
    path.write_text("".join(texts))
    os.chmod(path, 0o644)


def workers_of(site, pool):
    """Pids of all workers of one pool, of all masters."""
    return [pid for master in site.task.masters() for pid in children(master) if title(pid) == "php-fpm: pool " + pool]


def assert_confined(pid, user, caps=()):
    """Runs as that user, with these capabilities and no way to more."""
    uid = str(pwd.getpwnam(user).pw_uid)
    assert status_field(pid, "Uid").split() == [uid] * 4, title(pid)
    for name, most in (("CapInh", 0), ("CapAmb", 0), ("CapPrm", mask(caps)), ("CapEff", mask(caps))):
        assert int(status_field(pid, name), 16) == most, "%s of %s" % (name, title(pid))
    assert status_field(pid, "NoNewPrivs") == "1" and status_field(pid, "Seccomp") == "2", title(pid)


@pytest.mark.parametrize("isolation", ["namespace", "path"])
def test_pools_of_two_users_roll_under_load(make_site, isolation):
    port = free_ports(1)
    site = make_site(lambda site: add_pools(site, pool_text("other", port, user=OTHER_USER)),
                     env={"TWINIT_ISOLATION": isolation, "TWINIT_APP_DOCROOT": "public", **QUICK_STOP})
    assert site.lines("pools have several users or chroot, so masters stay root, with SETUID, SETGID, KILL only")
    asks = [lambda address=address: release_of_check(fpm_post(address, "/check.php"))
            for address in (site.task.address, ("127.0.0.1", port))]
    with Crowd(4, *asks) as crowd:
        for roll in range(1, 9):
            crowd.wait_answers(40)
            site.roll_to(1 + roll % 2)
            crowd.wait_answer(1 + roll % 2)
    assert not crowd.failures() and not crowd.refused()
    for master in site.task.masters():
        assert_confined(master, "root", LEAST)
        assert int(status_field(master, "CapBnd"), 16) == mask(LEAST)
    for pool, user in (("www", "www-data"), ("other", OTHER_USER)):
        assert len(workers_of(site, pool)) >= 2
        for pid in workers_of(site, pool):
            assert_confined(pid, user)
    assert site.task.stop() == 0


def test_a_pool_with_chroot_and_a_slow_log_gets_just_that(make_site):
    port = free_ports(1)
    site = make_site(lambda site: add_pools(site, pool_text(
        "jail", port, chroot="/srv/app", chdir="/", slowlog="/proc/self/fd/2", request_slowlog_timeout="30s")),
        env={"TWINIT_ISOLATION": "namespace", **QUICK_STOP})
    assert site.lines("a pool has chroot, so the syscall filter allows it")
    assert site.lines("request_slowlog_timeout is set, so the syscall filter allows ptrace")
    jail = ("127.0.0.1", port)

    def ask():
        return release_of_check(fpm_post(jail, "/check.php", root="/current/public"))

    with Crowd(4, ask) as crowd:
        for roll in range(1, 5):
            crowd.wait_answers(20)
            site.roll_to(1 + roll % 2)
            crowd.wait_answer(1 + roll % 2)
    assert not crowd.failures() and not crowd.refused()
    for master in site.task.masters():
        assert_confined(master, "root", LEAST | {"SYS_CHROOT", "SYS_PTRACE"})
    for pid in workers_of(site, "jail"):
        assert_confined(pid, "www-data")
        assert os.readlink("/proc/%d/root" % pid) != "/"


def nice_of(pid):
    """The priority of a process, as setpriority(2) counts it."""
    return os.getpriority(os.PRIO_PROCESS, pid)


def test_one_priority_needs_no_root(make_site):
    site = make_site(env=QUICK_STOP, fpm_global={"process.priority": "3"})
    for master in site.task.masters():
        assert_confined(master, "www-data")
        assert nice_of(master) == 3
    assert {nice_of(pid) for pid in workers_of(site, "www")} == {3}


def test_a_priority_for_each_pool(make_site):
    port = free_ports(1)
    site = make_site(lambda site: add_pools(site, pool_text("low", port, process__priority="9")),
                     env=QUICK_STOP, fpm_global={"process.priority": "3"})
    assert {nice_of(pid) for pid in workers_of(site, "www")} == {3}
    assert {nice_of(pid) for pid in workers_of(site, "low")} == {9}


def test_descriptor_limits_are_fpms_own(make_site):
    site = make_site(env=QUICK_STOP, fpm_global={"rlimit_files": "700"}, pool={"rlimit_files": "600"})

    def limit(pid):
        with open("/proc/%d/limits" % pid) as file:
            return next(line.split()[3:5] for line in file if line.startswith("Max open files"))

    assert [limit(pid) for pid in fpm_masters(site.task.pid)] == [["700", "700"]] * 2
    assert {tuple(limit(pid)) for pid in workers_of(site, "www")} == {("600", "600")}


def test_a_pool_of_root_is_refused(cold_site):
    site = cold_site()
    add = pool_text("admin", free_ports(1), user="root")
    path = site.task.fpm_config / "pool.d" / "zzz-more.conf"
    path.write_text(add)
    os.chmod(path, 0o644)
    assert start_and_wait_for_end(site) == 78
    assert any("user is root" in line for line in errors_of(site.task)), errors_of(site.task)


def helpers(site):
    """Children of PID 1 that are none of its masters."""
    return [pid for pid in children(site.task.pid) if pid not in site.task.masters()]


def test_a_helper_that_is_killed_leaves_no_files_behind(make_site):
    site = make_site(lambda site: add_pools(site, pool_text("other", free_ports(1))), **VARIANTS["path"])
    pin = site.task.run_dir / "pin"

    def files():
        return sorted(path.name for path in pin.rglob("*"))

    before = files()
    assert {"www-1-www.php", "www-1-other.php"} <= set(before), before
    # The helper that reads the configuration writes a file for each pool; here it waits for whoever reads the second.
    os.mkfifo(pin / "www-2-other.php")
    site.current(2)
    site.hup()
    wait_until("the first file is written", SECONDS, files, lambda names: "www-2-www.php" in names)
    helper, = wait_until("one helper", SECONDS, lambda: helpers(site), lambda pids: len(pids) == 1)
    os.kill(helper, signal.SIGKILL)
    site.said("the helper that reads the FPM configuration died")
    assert files() == before
    site.task.restart()
    assert site.app()["release"] == "2"
