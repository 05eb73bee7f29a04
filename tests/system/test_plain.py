"""`twinit -- CMD`: an init for any other command."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from container import PATIENCE, TookTooLong, binary, children, programs

PID1 = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child"]
MODES = {"pid1": PID1, "subreaper": []}
NOT_FORWARDED = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE,
                 signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP}

# Says which signals it gets, until SIGUSR1 comes a second time.
LISTENER = """
import os, signal, sys
numbers = [int(n) for n in sys.argv[1:]]
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", flush=True)
while True:
    print(signal.sigwait(numbers), flush=True)
"""


# A parent that ignores SIGTERM and a child in its group that does not.
FAMILY = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])
    print("child", flush=True)
    os._exit(0)
os.wait()
raise SystemExit(3)
"""


class Plain(subprocess.Popen):
    """twinit with a command, its output as a pipe; neither outlives `with`."""

    def __init__(self, mode, *command, **options):
        self.mode = mode
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        super().__init__([*MODES[mode], str(binary()), *command], **options)

    def line(self):
        """The next line of output."""
        if not select.select([self.stdout], [], [], PATIENCE)[0]:
            raise TookTooLong("no line came")
        return self.stdout.readline().decode().rstrip("\n")

    def twinit(self):
        """Its pid as seen from here, once it is there."""
        deadline = time.monotonic() + PATIENCE
        while self.mode == "pid1" and not children(self.pid) and time.monotonic() < deadline:
            pass
        return children(self.pid)[0] if self.mode == "pid1" else self.pid

    def end(self):
        """The exit status; its output is closed."""
        self.communicate(timeout=PATIENCE)
        return self.returncode

    def __exit__(self, *_):
        if self.poll() is None:
            for child in children(self.twinit()):
                os.kill(child, signal.SIGKILL)
            self.kill()
        self.communicate()


def run(mode, *command, **options):
    """(exit status, stdout, stderr) of twinit with a command."""
    with Plain(mode, *command, **options) as process:
        out, err = process.communicate(timeout=60)
        return process.returncode, (out or b"").decode(), (err or b"").decode()


@pytest.fixture(params=MODES)
def mode(request):
    """As PID 1 of a container, and below another init."""
    return request.param


# --- exit statuses


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_the_exit_status_is_the_commands(mode, status):
    assert run(mode, "--", "sh", "-c", "exit %d" % status) == (status, "", "")


@pytest.mark.parametrize("name", ["TERM", "KILL", "HUP", "SEGV"])
def test_the_death_by_a_signal_is_shown_as_a_shell_does(mode, name):
    assert run(mode, "--", "sh", "-c", "kill -%s $$" % name)[0] == 128 + getattr(signal, "SIG" + name)


def test_a_command_that_is_not_found_is_127(mode):
    code, out, err = run(mode, "--", "no-such-command-anywhere")
    assert (code, out) == (127, "")
    assert re.fullmatch("twinit: error: cannot run 'no-such-command-anywhere'.*: No such file or directory\n", err)


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc", "/dev/null"])
def test_a_command_that_cannot_be_run_is_126(mode, path):
    code, _, err = run(mode, "--", path)
    assert code == 126
    assert re.fullmatch("twinit: error: cannot run '%s'.*: Permission denied\n" % path, err)


def test_nothing_behind_the_dashes_is_usage(mode):
    code, out, err = run(mode, "--")
    assert (code, out) == (64, "") and "twinit" in err


def test_without_dashes_too(mode):
    assert run(mode, "sh", "-c", "exit 7")[0] == 7


def test_arguments_environment_and_directory_are_passed_on(mode):
    code, out, _ = run(mode, "--", "sh", "-c", 'printf "%s|" "$@" "$X" "$PWD"', "sh", "a b", "", "--", "*",
                       env={**os.environ, "X": "y"}, cwd="/usr")
    assert (code, out) == (0, "a b||--|*|y|/usr|")


def test_stdin_is_the_commands(mode):
    with Plain(mode, "--", "cat", stdin=subprocess.PIPE) as process:
        assert process.communicate(b"hello", timeout=30)[0] == b"hello"
        assert process.returncode == 0


def test_the_command_has_no_more_than_it_would_have_without_us(mode):
    plain = subprocess.run(["sh", "-c", "ls -l /proc/self/fd | wc -l; grep Sig /proc/self/status"],
                           stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout.decode()
    code, out, _ = run(mode, "--", "sh", "-c", "ls -l /proc/self/fd | wc -l; grep Sig /proc/self/status")
    assert code == 0
    strip = lambda text: re.sub(r"SigQ:.*\n", "", text)
    assert strip(out) == strip(plain)


# --- signals


def test_every_signal_is_forwarded(mode):
    numbers = [n for n in range(1, signal.SIGRTMAX + 1) if n not in NOT_FORWARDED and n not in (32, 33)]
    with Plain(mode, "--", sys.executable, "-c", LISTENER, *map(str, numbers)) as process:
        assert process.line() == "ready"
        for number in numbers:
            os.kill(process.twinit(), number)
            assert process.line() == str(number)


@pytest.mark.parametrize("name", ["TERM", "INT", "QUIT", "HUP", "USR1"])
def test_a_signal_that_the_command_does_not_handle_ends_it(mode, name):
    number = getattr(signal, "SIG" + name)
    with Plain(mode, "--", "sh", "-c", "echo ready; exec sleep 60") as process:
        assert process.line() == "ready"
        os.kill(process.twinit(), number)
        assert process.end() == 128 + number


def test_the_group_of_the_command_gets_signals_too(mode):
    with Plain(mode, "--", sys.executable, "-c", FAMILY) as process:
        assert process.line() == "ready"
        os.kill(process.twinit(), signal.SIGTERM)
        assert process.line() == "child"
        assert process.end() == 3


def test_a_signal_that_comes_before_the_command_runs_is_not_lost(mode):
    for _ in range(20):
        with Plain(mode, "--", "sleep", "60") as process:
            deadline = time.monotonic() + PATIENCE
            while signal_mask(process.twinit()) == 0 and time.monotonic() < deadline:
                pass
            os.kill(process.twinit(), signal.SIGTERM)
            assert process.end() == 128 + signal.SIGTERM


def signal_mask(pid):
    """What a process blocks: twinit all, as soon as it can."""
    try:
        return int(re.search(r"SigBlk:\s+(\w+)", Path("/proc/%d/status" % pid).read_text())[1], 16)
    except (FileNotFoundError, ProcessLookupError, TypeError):
        return 0


# --- orphans


def test_ten_thousand_orphans_are_reaped(mode):
    script = """
import os
if os.fork() == 0:
    for _ in range(10000):
        if os.fork() == 0:
            os._exit(0)
    os._exit(0)
os.wait()
left = 1
while left:
    left = 0
    for entry in os.listdir("/proc"):
        try:
            fields = open("/proc/%s/stat" % entry).read().rpartition(")")[2].split()
            left += fields[0] == "Z" and int(fields[1]) == os.getppid()
        except (OSError, IndexError):
            pass
print("all reaped")
raise SystemExit(42)
"""
    code, out, _ = run(mode, "--", sys.executable, "-c", script)
    assert (code, out) == (42, "all reaped\n")


def test_an_orphan_that_dies_does_not_end_it(mode):
    assert run(mode, "--", "sh", "-c", "(sh -c 'exit 9' &) ; (sh -c 'kill -9 $$' &); sleep 0.1; exit 5")[0] == 5


def test_orphans_that_live_do_not_hold_it_up():
    began = time.monotonic()
    assert run("pid1", "--", "sh", "-c", "(setsid sleep 600 >/dev/null 2>&1 &); exit 4")[0] == 4
    assert time.monotonic() - began < PATIENCE


# --- a terminal


def on_terminal(*command):
    """Runs twinit with a command on a terminal of its own: (pid, master side)."""
    pid, master = pty.fork()
    if pid == 0:
        os.execv(str(binary()), [str(binary()), *command])
    return pid, master


def read_until(master, text):
    """What the terminal shows, up to and including the text."""
    seen = b""
    while text not in seen:
        if not select.select([master], [], [], PATIENCE)[0]:
            raise TookTooLong(repr(seen))
        seen += os.read(master, 4096)
    return seen


def test_ctrl_c_reaches_the_command():
    pid, master = on_terminal("--", "sh", "-c", "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 1; done")
    read_until(master, b"ready")
    os.write(master, b"\x03")
    read_until(master, b"caught")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    os.close(master)


def test_ctrl_c_ends_a_command_that_does_not_handle_it():
    pid, master = on_terminal("--", "sh", "-c", "echo ready; exec sleep 60")
    read_until(master, b"ready")
    os.write(master, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 128 + signal.SIGINT
    os.close(master)


def test_the_command_may_read_the_terminal_and_change_it():
    pid, master = on_terminal("--", "sh", "-c", "stty -echo && echo ready && read line && echo \"got $line\"; exit 3")
    read_until(master, b"ready")
    os.write(master, b"word\n")
    assert b"got word" in read_until(master, b"got word")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.close(master)


# --- which command is a site


@pytest.fixture
def fpm_in_path(make):
    """A container whose PATH begins with a stub that is called php-fpm."""
    c = make()
    folder = c.directory / "bin"
    folder.mkdir(mode=0o755)
    os.symlink(programs() / "stub-fpm", folder / "php-fpm")
    c.environment["PATH"] = "%s:%s" % (folder, c.environment["PATH"])
    del c.environment["TWINIT_APP_PHP_FPM"]
    return c


@pytest.mark.parametrize("arguments", [["php-fpm"], ["php-fpm", "-F"], ["php-fpm", "--nodaemonize"], [], ["run"]])
def test_an_inherited_cmd_is_a_site(fpm_in_path, arguments):
    c = fpm_in_path.boot(*arguments)
    assert c.release() == "1"
    assert c.stop() == 0


def test_fpm_with_a_question_is_a_command(fpm_in_path):
    c = fpm_in_path
    c.start("php-fpm", "-i")
    assert c.wait() == 0
    assert not c.events.lines and not c.run_dir.exists()
