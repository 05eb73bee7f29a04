"""What hostile code in a PHP worker may attempt: what twinit is to deny is denied, and it is never weaker than without.

Each row of tests/support/attempts.c is tried by a child of a worker, in plain containers and in twinit's. A plain
container has `php-fpm` as its program and Docker's default options; "root" and "user" is who starts it. As root FPM's
master stays root there, and workers are www-data as with twinit; as user 1000 all are.

`pytest -s` prints the table.
"""

import re
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

import containers
import images
from clients import fpm_post, release_of_check
from waiting import wait_until

FPM = ("127.0.0.1", 9000)
USER = ["--user", "1000:1000", "--tty"]
ROOT = ["--user", "0:0", "--tmpfs", "/run/twinit:uid=0,mode=0700"]
SYS_ADMIN = ["--cap-add", "SYS_ADMIN", "--env", "TWINIT_APP_READ_ONLY=yes"]
UNCONFINED = ["--security-opt", "seccomp=unconfined"]

# `like` is the plain container to compare with: the one in which PHP has the same user.
Column = namedtuple("Column", "options like", defaults=[None])
COLUMNS = {
    "plain user": Column(USER),
    "plain root": Column(ROOT),
    "default": Column(USER, "plain user"),
    "sys-admin user": Column([*USER, "--cap-drop", "ALL", *SYS_ADMIN], "plain user"),
    "sys-admin root": Column([*ROOT, *SYS_ADMIN], "plain root"),
    "unconfined user": Column([*USER, *SYS_ADMIN, *UNCONFINED], "plain user"),
    "unconfined root": Column([*ROOT, *SYS_ADMIN, *UNCONFINED], "plain root"),
}
TWINIT = [name for name, column in COLUMNS.items() if column.like]
AS_USER = [name for name in TWINIT if name.endswith("user") or name == "default"]

# What twinit does not deny, in which columns, and why; doc/threats.md has the same.
ITS_OWN = "PHP's user may do so to its own processes"
AS_PID_1 = "PHP and PID 1 have the same user"
SAME_FILES = "the files belong to PHP's user"
EXPECTED = {
    "list-run-dir": (AS_USER, AS_PID_1 + "; with a namespace there is only what PHP needs"),
    **{row: (["default"], AS_PID_1 + ", and path isolation does not hide run_dir")
       for row in ("probe-sockets", "status-sockets", "list-private", "link-in-run-dir", "link-in-private")},
    "renice-user": (TWINIT, ITS_OWN),
    "kill-all": (TWINIT, ITS_OWN + "; masters and workers that it ends are started again"),
    "accept": (TWINIT, "it is what a worker is for"),
    "listener-interface": (TWINIT, "the listener is the worker's too"),
    **{row: (["default"], SAME_FILES + ", and path isolation has no read-only view")
       for row in ("write-release", "write-release-1", "beside-link", "move-link")},
    **{row: (AS_USER, SAME_FILES) for row in ("write-other-release", "new-release")},
}

# What takes the worker's listener, which its children have with PHP 8.2 and no longer with 8.4.
LISTENER = {"accept", "listener-interface", "listener-filter", "steer-cbpf", "steer-ebpf", "steer-detach",
            "reuseport-visitor", "reuseport-steal"}
# What there is only with twinit, so that nothing can be compared.
ONLY_TWINIT = re.compile(r".*-other-(master|worker)|status|restart|rollback|garbage|.*-sockets|.*-private|.*-run-dir")


def attempt(task, *words):
    """{name: (verdict, errno, what)} of attempts, made by a child of a worker."""
    path = "/attempt.php?words=" + "+".join(words)
    text = task.ask(partial(fpm_post, FPM, path, timeout=120), timeout=180)
    rows = [line.split("\t") for line in text.splitlines()]
    assert rows and all(len(row) == 4 for row in rows), text
    return {row[0]: tuple(row[1:]) for row in rows}


@pytest.fixture(scope="module")
def image(docker, ready):
    """The checked image with the helper in both releases, and programs that give power."""
    name = "%s-attempts:%s" % (images.PREFIX, ready)
    return images.build_own(docker, name, "attempts", images.REPO / "tests" / "support" / "attempts.c",
                            images.HERE / "images" / "attempt.php", BUILDER=images.builder(ready),
                            CHECKED=images.checked(ready))


def serves(task):
    """Waits until FPM's port answers."""
    def look():
        assert task.running, task.logs()
        try:
            return release_of_check(task.ask(partial(fpm_post, FPM, "/check.php")))
        except AssertionError:
            return None
    return wait_until("%s serves" % task.name, 60, look, pause=0.2)


@pytest.fixture(scope="module")
def tasks(docker, network, image, debian):
    """{column: its container}, all of them running."""
    fpm = "php-fpm" + images.PHP[debian]
    started = {}

    def start(name):
        column = COLUMNS[name]
        plain = [] if column.like else ["--entrypoint", fpm]
        command = [] if column.like else ["-F", "-y", "/srv/php-fpm/php-fpm.conf"]
        started[name] = containers.run(docker, images.named(debian, name.replace(" ", "-")), image, *command, options=[
            "--network", network, "--env", "ATTEMPTS_MARK=found", "--no-healthcheck", *plain, *column.options])
        task = started[name].__enter__()
        serves(task)
        if column.like:  # FPM serves before twinit has seen that it does
            wait_until("%s is ready" % name, 60, lambda: task.exec("twinit", "health").returncode == 0, pause=0.2)
        return name, task

    try:
        with ThreadPoolExecutor(2) as pool:
            yield dict(pool.map(start, COLUMNS))
    finally:
        for context in started.values():
            context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def table(tasks):
    """{row: {column: (verdict, errno)}} and {row: what}, printed."""
    with ThreadPoolExecutor(2) as pool:
        columns = dict(zip(tasks, pool.map(attempt, tasks.values())))
    what = {row: seen[2] for row, seen in columns["default"].items()}
    rows = {row: {name: seen[row][:2] for name, seen in columns.items()} for row in what}
    print("\n%-26s" % "", *("%-15s" % name for name in COLUMNS))
    for row, seen in rows.items():
        print("%-26s" % row, *("%-15s" % (errno or verdict) for verdict, errno in seen.values()), what[row])
    return rows


def allowed(seen, column):
    """Was it? An attempt that could not be made at all is a failure of the test."""
    verdict, errno = seen[column]
    assert verdict in ("allowed", "denied"), (column, seen)
    return verdict == "allowed"


def test_what_is_to_be_denied_is_denied(table):
    assert len(table) > 150
    open_doors = {(row, column) for row, seen in table.items() for column in TWINIT if allowed(seen, column)}
    known = {(row, column) for row, (columns, _) in EXPECTED.items() for column in columns}
    assert open_doors <= known, sorted(open_doors - known)
    stale = set(EXPECTED) - {row for row, _ in open_doors} - not_inherited(table)
    assert not stale, "denied now: %s" % sorted(stale)


def not_inherited(table):
    """Rows that could not be tried for want of the listener; in all columns or in none."""
    return {row for row in LISTENER if {errno for _, errno in table[row].values()} == {"EBADF"}}


def test_each_attempt_had_somebody_to_be_made_at(table, debian):
    assert not_inherited(table) == (set() if debian == "bookworm" else LISTENER)
    lost = [(row, column) for row, seen in table.items() for column in TWINIT if seen[column][1] in ("ESRCH", "EBADF")]
    assert not [row for row, _ in lost if row not in not_inherited(table)]


def test_twinit_is_never_weaker_than_the_plain_container(table):
    weaker = {(row, column) for row, seen in table.items() for column in TWINIT
              if allowed(seen, column) and not allowed(seen, COLUMNS[column].like) and not ONLY_TWINIT.fullmatch(row)}
    assert not weaker, sorted(weaker)


def test_what_works_only_without_twinit(table):
    """The table shows something: a good part of it is open in a plain container, and for the same user."""
    stronger = {row for row, seen in table.items() if allowed(seen, "plain user") and not allowed(seen, "default")}
    assert stronger >= {"attach-pid-1", "mem-pid-1", "environ-pid-1", "pidfd-open", "setuid-program", "setgid-program",
                        "file-capabilities", "call-32-bit", "modify-ldt", "type-console"}


SIGNALS = ["term", "int", "quit", "hup", "usr1", "usr2", "pwr", "rtmin-3", "kill", "stop", "abrt", "segv", "chld"]
# One after the other, because signals of one number merge as long as they wait.
WAYS = ["thread", "gone", "as-nobody", "as-pid-1", "as-timer", "by-descriptor", "int-by-descriptor", "by-folder"]
# No filter sees whom the kernel is to signal for a descriptor.
OF_DESCRIPTOR = ("by-descriptor", "int-by-descriptor")


def ignored(task):
    """How many signals PID 1 says that it has ignored."""
    return len(re.findall("warning: ignoring '", task.logs()))


def signal(task, names, heard):
    """Sends these; returns when PID 1 has said of `heard` of them that it ignores them, where they reach it."""
    before = ignored(task)
    seen = attempt(task, *("signal-" + name for name in names))
    verdicts = {verdict for verdict, _, _ in seen.values()}
    if verdicts == {"sent"}:
        wait_until("%d of %s are ignored" % (heard, names), 60, lambda: ignored(task) - before,
                   lambda found: found >= heard, 0.1)
    return verdicts


@pytest.mark.parametrize("column", TWINIT)
def test_no_signal_of_php_stops_or_rolls_pid_1(tasks, column):
    task = tasks[column]
    before = task.status()
    # CHLD and what the kernel keeps from every PID 1 have no line.
    assert signal(task, SIGNALS, SIGNALS.index("kill")) == {"denied"}
    for way in WAYS:
        reaches = column in AS_USER and way in OF_DESCRIPTOR
        assert signal(task, [way], 1) == {"sent" if reaches else "denied"}, way
    after = task.status()
    for status in before, after:
        assert status["healthy"] and [app["rolls"] for app in status["apps"]] == [0], status
    assert after["pid"] == before["pid"]
    assert [(master["pid"], master["state"]) for master in after["apps"][0]["masters"]] == [
        (master["pid"], master["state"]) for master in before["apps"][0]["masters"]]
    assert "twinit: stopping" not in task.logs()
    serves(task)


def test_a_plain_container_is_stopped_by_what_twinit_ignores(tasks):
    """So the test before sees something. The last of those that use them, as it ends one."""
    try:
        attempt(tasks["plain user"], "signal-term")
    except AssertionError:
        pass  # the end may be faster than the answer
    tasks["plain user"].wait()
    tasks["default"].kill("TERM")
    assert tasks["default"].wait() == 0


def test_a_fork_bomb_inside_a_pids_limit_leaves_pid_1_and_the_site(docker, network, image, debian):
    with containers.run(docker, images.named(debian, "bomb"), image, options=[
            "--network", network, "--no-healthcheck", "--pids-limit", "120"]) as task:
        serves(task)
        pid = task.status()["pid"]
        text = task.ask(partial(fpm_post, FPM, "/attempt.php?words=--bomb+3", timeout=60), timeout=90)
        assert int(re.search(r"refused (\d+)", text)[1]) > 0, text
        wait_until("twinit can be asked", 60, lambda: task.exec("twinit", "health").returncode == 0)
        serves(task)
        assert task.status()["pid"] == pid == 1
        rolled = task.exec("twinit", "restart")
        assert rolled.returncode == 0, rolled.stdout + task.logs()
        assert task.stop() == 0


def test_a_listener_that_a_worker_shuts_down_does_not_end_the_site(docker, network, image, debian):
    """With PHP 8.2, whose children have it; in a plain container nobody is let in from then on."""
    with containers.run(docker, images.named(debian, "shut"), image, options=[
            "--network", network, "--no-healthcheck"]) as task:
        serves(task)
        task.ask(partial(fpm_post, FPM, "/attempt.php?words=--shut"))
        serves(task)
        rolled = task.exec("twinit", "restart")
        assert rolled.returncode == 0, rolled.stdout + task.logs()
        serves(task)
