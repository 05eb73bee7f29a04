"""What must not stop, slow or fatten PID 1."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from container import PATIENCE, children


def resident_kb(pid):
    """RssAnon: what is its own; a build that counts its lines has counters besides."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/%d/status" % pid).read_text())[1])


def descriptors(pid):
    """What the open descriptors are, without the numbers that differ each time."""
    found = []
    for name in os.listdir("/proc/%d/fd" % pid):
        try:
            found.append(re.sub(r"\d+", "N", os.readlink("/proc/%d/fd/%s" % (pid, name))))
        except FileNotFoundError:
            pass
    return sorted(found)


def zombies(pid):
    """Children that nobody has reaped."""
    found = []
    for child in children(pid):
        try:
            if Path("/proc/%d/stat" % child).read_text().rpartition(")")[2].split()[0] == "Z":
                found.append(child)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


# --- orphans


def test_ten_thousand_orphans_are_reaped(make):
    c = make()
    c.behave("r1:orphans=10000")
    c.boot()
    c.events.wait("orphans made", timeout=30)
    c.until("all are reaped", lambda: c.status()["reaped"] >= 10000, timeout=30)
    assert not zombies(c.pid)
    assert c.release() == "1"
    assert c.app()["ready"] == 2


def test_orphans_do_not_delay_a_roll(make):
    c = make()
    c.boot()
    c.behave("orphans=5000")
    c.deploy(2)
    c.roll()
    assert c.release() == "2"
    c.until("all are reaped", lambda: c.status()["reaped"] >= 10000, timeout=30)
    assert not zombies(c.pid)


# --- nothing grows


def test_a_hundred_rolls_leave_nothing_behind(make):
    c = make()
    c.boot()
    for turn in range(8):
        c.deploy(turn % 2 + 1)
        c.roll()
    # The helpers of the last roll have gone.
    c.until("only masters are left", lambda: len(children(c.pid)) == 2)
    before = descriptors(c.pid), resident_kb(c.pid)
    for turn in range(100):
        c.deploy(turn % 2 + 1)
        c.roll()
    c.until("only masters are left", lambda: len(children(c.pid)) == 2)
    c.until("the descriptors are those of before", lambda: descriptors(c.pid) <= before[0])
    assert resident_kb(c.pid) <= before[1] + 64
    assert c.app()["rolls"] == 108
    assert len(c.stubs()) == 2
    assert len(os.listdir(c.run_dir / "private")) == 6, "status, probe and hand of two masters"
    assert not zombies(c.pid)


def test_a_hundred_failed_rolls_leave_nothing_behind(make):
    c = make()
    c.boot()
    c.behave("g2:die")
    c.deploy(2)
    for _ in range(5):
        assert c.tell("restart")[0] == 1
    c.until("only masters are left", lambda: len(children(c.pid)) == 2)
    before = descriptors(c.pid), resident_kb(c.pid)
    for _ in range(100):
        assert c.tell("restart")[0] == 1
    c.until("only masters are left", lambda: len(children(c.pid)) == 2)
    c.until("the descriptors are those of before", lambda: descriptors(c.pid) <= before[0])
    assert resident_kb(c.pid) <= before[1] + 64
    assert c.release() == "1"


def test_crashes_leave_nothing_behind(make):
    c = make(replicas=1)
    c.boot()
    before = descriptors(c.pid), resident_kb(c.pid)
    for _ in range(5):
        mark = c.events.mark()
        assert c.request("/crash") == ""
        c.events.wait("www/1 1 ready", mark, timeout=30)
    c.until("it is ready", lambda: c.app()["ready"] == 1)
    c.until("only masters are left", lambda: len(children(c.pid)) == 1)
    c.until("the descriptors are those of before", lambda: descriptors(c.pid) <= before[0])
    assert resident_kb(c.pid) <= before[1] + 64


# --- stdin, stdout, stderr


@pytest.mark.parametrize("shell", [
    'exec "$@" <&-', 'exec "$@" >&-', 'exec "$@" 2>&-', 'exec "$@" <&- >&- 2>&-', 'exec "$@" 2>/dev/null',
    'exec "$@" 2</dev/null', 'exec "$@" 2>/dev/full',
])
def test_closed_and_odd_descriptors(make, shell):
    c = make(shell=shell)
    c.start()
    c.until("it is ready", lambda: c.tell("health")[0] == 0)
    # No master got a descriptor of ours as its stdin, stdout or stderr.
    assert c.events.wait("www/1 1 start .*fds=(\\S+)")[1] == "0,1,2,3,4,5,6,7"
    c.deploy(2)
    c.roll()
    assert c.release() == "2"
    assert c.stop() == 0


def test_a_socket_as_stderr(make):
    c = make()
    ours, its = socket.socketpair()
    c.stderr = its
    with ours, its:
        c.start()
        c.until("it is ready", lambda: c.tell("health")[0] == 0)
        its.close()
        c.roll()
        # What twinit and its masters say comes through.
        text = b""
        ours.settimeout(PATIENCE)
        while b"is active on 2 replicas" not in text:
            text += ours.recv(65536)
        assert c.stop() == 0


def test_a_socket_as_stderr_that_nobody_reads(make):
    c = make()
    ours, its = socket.socketpair()
    c.stderr = its
    with ours, its:
        c.behave("noise")
        c.start()
        c.until("it is ready", lambda: c.tell("health")[0] == 0)
        for _ in range(3):
            c.roll()
        assert c.release() == "1"
        assert c.stop() == 0


def full_pipe():
    """A pipe that takes no further byte."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    return reader, writer


def test_a_full_pipe_as_stderr_never_blocks(make):
    c = make()
    reader, c.stderr = full_pipe()
    try:
        c.start()
        c.until("it is ready", lambda: c.tell("health")[0] == 0)
        c.deploy(2)
        for _ in range(10):
            c.roll()
        assert c.release() == "2"
        os.kill(c.newest("www/1 2"), signal.SIGKILL)
        assert c.release() == "2"
        assert c.stop() == 0
    finally:
        os.close(reader)
        os.close(c.stderr)


def drain(reader):
    """What a pipe has now."""
    text = b""
    try:
        while chunk := os.read(reader, 1 << 16):
            text += chunk
    except BlockingIOError:
        pass
    return text


def test_lines_that_were_dropped_are_counted(make):
    c = make()
    reader, c.stderr = full_pipe()
    try:
        c.start()
        c.until("it is ready", lambda: c.tell("health")[0] == 0)
        c.roll()
        os.set_blocking(reader, False)
        drain(reader)
        c.roll()
        text = drain(reader).decode()
        assert re.search(r"twinit: warning: \d+ log lines dropped, their reader is slow\n", text)
        assert "is active on 2 replicas" in text
        assert "dropped" not in text.partition("dropped")[2]
        assert c.stop() == 0
    finally:
        os.close(reader)
        os.close(c.stderr)


def test_the_reader_of_stderr_goes_away(make):
    c = make()
    reader, c.stderr = os.pipe()
    c.start()
    os.close(c.stderr)
    c.until("it is ready", lambda: c.tell("health")[0] == 0)
    os.close(reader)
    c.deploy(2)
    c.roll()
    assert c.release() == "2"
    assert c.stop() == 0


def test_masters_that_flood_stderr_do_not_drown_twinit(make):
    c = make()
    c.behave("noise")
    c.start()
    c.until("it is ready", lambda: c.tell("health")[0] == 0)
    c.deploy(2)
    c.roll()
    assert c.release() == "2"
    assert c.tell("health")[0] == 0
    assert c.stop() == 0


# --- signals


def test_other_signals_mean_nothing(boot):
    c = boot()
    special = {signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGPWR,
               signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN + 3}
    for number in set(range(1, signal.SIGRTMAX + 1)) - special - {32, 33}:
        os.kill(c.pid, number)
    assert c.tell("health") == (0, "healthy\n")
    assert c.app()["rolls"] == 0
    c.roll()
    assert c.stop() == 0


def test_a_storm_of_sigchld_means_nothing(boot):
    c = boot()
    for _ in range(5000):
        os.kill(c.pid, signal.SIGCHLD)
    assert c.tell("health")[0] == 0


def inside(c, *command):
    """Runs a command inside the container, as `docker exec` does."""
    return subprocess.run(["nsenter", "-t", str(c.pid), "-p", "-m", *command], check=False, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, capture_output=True, env=c.environment)


def test_signals_from_inside_the_container_count(boot):
    c = boot()
    c.deploy(2)
    assert inside(c, "kill", "-HUP", "1").returncode == 0
    c.log.wait("release 2 is active")
    assert inside(c, "kill", "-TERM", "1").returncode == 0
    assert c.wait() == 0


def test_a_master_that_runs_as_our_user_cannot_give_orders(make):
    """Where twinit is not root its masters are the same user; PHP must not stop or roll the container."""
    c = make(prefix=("setpriv", "--reuid", "33", "--regid", "33", "--clear-groups", "--inh-caps=-all"))
    c.environment["TWINIT_ISOLATION"] = "path"
    c.run_dir.mkdir()
    os.chown(c.run_dir, 33, 33)
    c.behave("r1:attack")
    c.boot()
    said = c.events.wait(r"attacked signals=(\d+) connected=(\d) answer=(-?\d+)")
    assert said[3] in ("0", "-1")
    assert c.tell("health")[0] == 0
    assert c.app()["rolls"] == 0
    assert c.release() == "1"
    c.deploy(2)
    c.signal("HUP")
    c.log.wait("release 2 is active")
    assert c.stop() == 0


# --- limits


def limit_descriptors(c, count):
    """The soft limit of PID 1."""
    subprocess.run(["prlimit", "--pid", str(c.pid), "--nofile=%d:" % count], check=True)


def test_few_descriptors_are_an_error_and_no_end(make):
    """With too few descriptors something is refused, and nothing that runs is lost."""
    c = make()
    c.boot()
    limit_descriptors(c, len(os.listdir("/proc/%d/fd" % c.pid)) + 4)
    for _ in range(5):
        c.signal("HUP")
    c.until("it is idle", lambda: c.app()["roll"] == "idle")
    assert c.release() == "1"
    c.log.wait("Too many open files")
    limit_descriptors(c, 1024)
    c.deploy(2)
    c.roll()
    assert c.release() == "2"
    assert c.stop() == 0
