"""`twinit -- CMD`: an init for any other command."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from container import MODES, PATIENCE, TookTooLong, binary, children, programs, stub

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


# Says that it got SIGTERM, and so does its child, who got it from nobody but its parent.
FAMILY = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
child = os.fork()
if child == 0:
    print("ready", flush=True)
    print("child", signal.sigwait([signal.SIGTERM, signal.SIGUSR1]), flush=True)
    os._exit(0)
signal.sigwait([signal.SIGTERM])
os.kill(child, signal.SIGUSR1)
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


def test_the_death_by_any_signal_is_shown_as_a_shell_does(mode):
    harmless = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGSTOP, signal.SIGTSTP,
                signal.SIGTTIN, signal.SIGTTOU}
    numbers = [n for n in range(1, signal.SIGRTMAX + 1) if n not in harmless and n not in (32, 33)]
    statuses = {n: run(mode, "--", "sh", "-c", "ulimit -c 0; kill -%d $$" % n)[0] for n in numbers}
    assert statuses == {n: 128 + n for n in numbers}


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


def test_signals_go_to_the_command_alone(mode):
    with Plain(mode, "--", sys.executable, "-c", FAMILY) as process:
        assert process.line() == "ready"
        os.kill(process.twinit(), signal.SIGTERM)
        assert process.line() == "child %d" % signal.SIGUSR1
        assert process.end() == 3


def test_a_signal_that_comes_before_the_command_runs_is_not_lost(mode):
    for _ in range(20):
        with Plain(mode, "--", "sleep", "60") as process:
            deadline = time.monotonic() + PATIENCE
            while not blocks_all(process.twinit()) and time.monotonic() < deadline:
                pass
            os.kill(process.twinit(), signal.SIGTERM)
            assert process.end() == 128 + signal.SIGTERM


def blocks_all(pid):
    """twinit does, as soon as it can; unshare, which was there before, blocks two for a moment."""
    return bin(signal_mask(pid)).count("1") > 32


def signal_mask(pid):
    """What a process blocks."""
    try:
        return int(re.search(r"SigBlk:\s+(\w+)", Path("/proc/%d/status" % pid).read_text())[1], 16)
    except (FileNotFoundError, ProcessLookupError, TypeError):
        return 0


# --- orphans


def test_ten_thousand_orphans_are_reaped(mode):
    assert run(mode, "--", str(stub()), "orphans", "10000") == (42, "", "")


def test_an_orphan_that_dies_does_not_end_it(mode):
    assert run(mode, "--", "sh", "-c", "(sh -c 'exit 9' &) ; (sh -c 'kill -9 $$' &); sleep 0.1; exit 5")[0] == 5


def test_what_the_command_leaves_running_is_told_to_end(mode):
    script = "(trap 'echo told; exit' TERM; echo left; while :; do sleep 0.01; done) & read line; exit 4"
    with Plain(mode, "--", "sh", "-c", script, stdin=subprocess.PIPE) as process:
        assert process.line() == "left"
        process.stdin.close()
        process.stdin = None
        assert process.line() == "told"
        assert process.end() == 4


def test_what_does_not_end_is_killed(mode):
    """In another session too, and whatever it starts meanwhile."""
    script = "(trap '' TERM HUP; setsid sh -c 'echo $$; while :; do sleep 600; done') & read line; exit 4"
    with Plain(mode, "--", "sh", "-c", script, stdin=subprocess.PIPE) as process:
        assert process.line().isdigit()
        process.stdin.close()
        process.stdin = None
        assert process.end() == 4


# --- asked from outside


def ask(run_dir, command):
    """A twinit command against this one."""
    done = subprocess.run([binary(), command], env={"TWINIT_RUN_DIR": str(run_dir)}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout.decode()


def test_health_and_stop(mode, tmp_path):
    environment = {**os.environ, "TWINIT_RUN_DIR": str(tmp_path / "run")}
    with Plain(mode, "--", "sh", "-c", "echo ready; exec sleep 60", env=environment) as process:
        assert process.line() == "ready"
        deadline = time.monotonic() + PATIENCE
        while ask(tmp_path / "run", "health")[0] != 0 and time.monotonic() < deadline:
            pass
        assert ask(tmp_path / "run", "health") == (0, "healthy: runs 'sh'\n")
        code, text = ask(tmp_path / "run", "restart")
        assert code == 1 and "runs 'sh', no PHP-FPM" in text
        assert ask(tmp_path / "run", "stop")[0] == 0
        assert process.end() == 128 + signal.SIGTERM
    assert not (tmp_path / "run" / "control").exists()


def test_beside_a_site_it_does_not_answer_for_it(make):
    c = make()
    c.boot()
    with Plain("subreaper", "--", "sh", "-c", "echo ready; exec sleep 60", env=c.environment) as process:
        assert process.line() == "ready"
        assert c.tell("health") == (0, "healthy\n")
        os.kill(process.pid, signal.SIGTERM)
        assert process.end() == 128 + signal.SIGTERM
    assert c.tell("health") == (0, "healthy\n")
    assert c.stop() == 0


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
    assert not c.events.lines
