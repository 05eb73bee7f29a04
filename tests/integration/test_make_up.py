"""Item 1: `make up` in a copy of the clone, as a person uses it, on a terminal."""

import os
import pty
import pwd
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from support import (HOST, REPO, SECONDS, assert_masters_are_confined, children, fpm_masters, free_ports, in_namespace,
                     namespace, port_problem, processes, still_there, wait_until)

START_SECONDS = 300  # with a build from nothing, should the copy need one
NOT_COPIED = (".git", ".run", "__pycache__", ".pytest_cache")


@pytest.fixture(scope="module")
def clone():
    """A copy of the working tree in a folder where www-data cannot enter."""
    folder = Path(tempfile.mkdtemp(prefix="twinit-clone-", dir="/tmp"))
    copy = folder / "clone"
    shutil.copytree(REPO, copy, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    # The program under test is what was built, not what somebody may be writing in src/ just now.
    for file in [*(copy / "build").rglob("*.o"), copy / "build" / "twinit"]:
        file.touch()
    yield copy
    shutil.rmtree(folder)


def files_of(folder):
    """Everything below a folder but what `make up` may leave, with sizes and times."""
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")
            if ".run" not in path.parts and path.is_file()}


class Up:
    """`make up` in the foreground of a terminal of its own."""

    def __init__(self, clone, user=None, **environment):
        self.clone = clone
        self.ports = {name: str(free_ports(1)) for name in ("PORT", "FPM_PORT", "REDIS_PORT")}
        self.run = clone / environment.get("RUN", ".run")
        self.url = "http://%s:%s" % (HOST, self.ports["PORT"])
        self.output = ""
        env = {**os.environ, "TERM": "dumb", **self.ports, **environment}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(clone)
            as_user = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []
            argv = [*as_user, "make", "up"]
            os.execvpe(argv[0], argv, env)

    def _read(self):
        while select.select([self.terminal], [], [], 0)[0]:
            try:
                self.output += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:
                break  # the other side is closed
        return self.output

    def wait_said(self, pattern, seconds=START_SECONDS):
        """Waits for a line on the terminal."""
        wait_until("`make up` says %r" % pattern, seconds, self._read, lambda text: re.search(pattern, text))

    def get(self, path):
        """The body of a page."""
        with urllib.request.urlopen(self.url + path, timeout=SECONDS) as answer:
            return answer.read().decode()

    def everything(self):
        """All processes below make, found from the top and by twinit's PID namespace."""
        todo, found = [self.pid], [self.pid]
        while todo:
            below = children(todo.pop())
            found += below
            todo += below
        twinit = int((self.run / "twinit.pid").read_text())
        return processes([*found, *in_namespace("pid", namespace(twinit, "pid"))])

    def twinit(self, *words):
        """The command as the hints tell."""
        env = {**os.environ, "TWINIT_RUN_DIR": os.path.relpath(self.run / "twinit", self.clone)}
        return subprocess.run(["build/twinit", *words], cwd=self.clone, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS)

    def press_ctrl_c(self):
        """As the person at the terminal does."""
        os.write(self.terminal, b"\x03")

    def wait_end(self):
        """Reads until the end, reaps it; returns its exit status."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._read()
                os.close(self.terminal)
                self.pid = None
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        raise AssertionError("`make up` does not end; it said:\n" + self.output)

    def end(self):
        """Whatever happened, nothing stays."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)
            self.wait_end()


@pytest.fixture
def up(clone):
    """up(**environment) starts one; it ends with the test."""
    started = []

    def start(clone=clone, **options):
        started.append(Up(clone, **options))
        return started[-1]

    yield start
    for one in started:
        one.end()


def assert_nothing_is_left(stack, processes_of_it):
    """No process, no mount, no port."""
    wait_until("its processes are gone", SECONDS, lambda: still_there(processes_of_it), lambda left: not left)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    assert [line for line in mounts if str(stack.clone) in line or "twinit-srv" in line] == []
    assert [port for port in stack.ports.values() if port_problem(int(port))] == []


def test_make_up_serves_tells_what_to_try_and_leaves_nothing_after_ctrl_c(clone, up):
    before = files_of(clone)
    stack = up()
    stack.wait_said("Ctrl-C stops everything")
    assert "The site is on %s/" % stack.url in stack.output
    assert_masters_are_confined(int((stack.run / "twinit.pid").read_text()))
    assert "release 1" in stack.get("/").lower()
    assert stack.get("/ping.php") == "pong 1"

    # Each hint, as it was printed.
    hints = [line.strip().partition(" #")[0].rstrip() for line in stack.output.splitlines() if line.startswith("    ")]
    assert [hint.split()[0] for hint in hints] == ["curl", "ln", "kill", "alias", "twinit"]

    def hint(*numbers):
        lines = "\n".join(hints[number] for number in numbers)
        return subprocess.run(["sh", "-c", lines], cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=True, timeout=SECONDS).stdout
    assert hint(0) == "pong 1"
    hint(1)
    assert hint(0) == "pong 1"
    hint(2)
    wait_until("release 2 serves", SECONDS, lambda: hint(0), lambda text: text == "pong 2")
    assert "www: release 2, " in hint(3, 4)
    assert stack.get("/release.txt").strip() == "2"

    those = stack.everything()
    assert len(those) > 10, "make, up, unshare, twinit, masters, workers, redis, nginx"
    stack.press_ctrl_c()
    stack.wait_end()
    assert "up: stopped." in stack.output
    assert "was killed" not in stack.output
    assert_nothing_is_left(stack, those)
    assert files_of(clone) == before
    assert {path.name for path in clone.iterdir()} - {path.name for path in REPO.iterdir()} <= {".run"}
    assert sorted(path.name for path in (stack.run / "app" / "releases").iterdir()) == ["1", "2"]
    assert (stack.run / "log" / "twinit.log").stat().st_size > 0
    assert not (stack.run / "twinit.pid").exists()


def test_term_stops_it_as_well(up):
    stack = up()
    stack.wait_said("Ctrl-C stops everything")
    those = stack.everything()
    os.kill(stack.pid, signal.SIGTERM)
    stack.wait_end()
    assert_nothing_is_left(stack, those)


def test_an_ordinary_user_needs_no_root_where_user_namespaces_are_allowed(clone, up):
    user = "games"  # every Debian has it, and nothing belongs to it
    home = Path(tempfile.mkdtemp(prefix="twinit-user-", dir="/tmp"))
    try:
        shutil.copytree(clone, home / "clone", symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
        for path in [home, *home.rglob("*")]:
            os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid, follow_symlinks=False)
        stack = up(clone=home / "clone", user=user, HOME=str(home), PATH="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        if not may_make_namespaces(user):
            stack.wait_end()
            assert "does not let you" in stack.output and ("run it as root" in stack.output or "sudo" in stack.output)
            return
        stack.wait_said("Ctrl-C stops everything")
        twinit = int((stack.run / "twinit.pid").read_text())
        assert_masters_are_confined(twinit, user)
        assert stack.get("/ping.php") == "pong 1"
        (stack.run / "app" / "current").unlink()
        (stack.run / "app" / "current").symlink_to("releases/2")
        os.kill(twinit, signal.SIGHUP)
        wait_until("release 2 serves", SECONDS, lambda: stack.get("/ping.php"), lambda text: text == "pong 2")
        wait_until("the old masters are gone", SECONDS, lambda: fpm_masters(twinit), lambda pids: len(pids) == 2)
        assert_masters_are_confined(twinit, user)
        those = stack.everything()
        stack.press_ctrl_c()
        stack.wait_end()
        assert_nothing_is_left(stack, those)
        stack.end()
    finally:
        shutil.rmtree(home)


def may_make_namespaces(user):
    """Does this kernel let that user make the namespaces that the stack needs?"""
    argv = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups",
            "unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "--pid", "--uts", "--fork",
            "--mount-proc", "mount", "-t", "tmpfs", "none", "/srv"]
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def test_a_second_stack_runs_side_by_side_and_twinit_variables_reach_twinit(up):
    first = up()
    first.wait_said("Ctrl-C stops everything")
    second = up(RUN=".run/second", TWINIT_APP_REPLICAS="1", TWINIT_ISOLATION="path", TWINIT_APP_DOCROOT="public")
    second.wait_said("Ctrl-C stops everything")
    assert "1 of 1 replicas ready" in second.twinit("status").stdout
    assert "isolation path" in second.twinit("status").stdout
    assert "2 of 2 replicas ready" in first.twinit("status").stdout
    assert (first.get("/session.php"), second.get("/session.php")) == ("1", "1")
    assert second.twinit("restart").returncode == 0
    those = second.everything()
    second.press_ctrl_c()
    second.wait_end()
    assert_nothing_is_left(second, those)
    assert first.get("/ping.php") == "pong 1"


def test_what_is_in_the_way_is_said_and_nothing_started(up):
    first = up()
    first.wait_said("Ctrl-C stops everything")
    second = up(RUN=".run/second", PORT=first.ports["PORT"])
    assert second.wait_end() != 0
    assert re.search(r"up: port %s, for nginx, is in use; choose another one with PORT" % first.ports["PORT"],
                     second.output)
    third = up()
    assert third.wait_end() != 0
    assert "belongs to a stack that is running" in third.output
    assert first.get("/ping.php") == "pong 1"


def test_make_up_ends_with_the_reason_when_twinit_cannot_start(up):
    stack = up(TWINIT_ISOLATION="full")
    assert stack.wait_end() != 0
    assert "TWINIT_ISOLATION: 'full' is not one of" in stack.output
    assert [port for port in stack.ports.values() if port_problem(int(port))] == []
