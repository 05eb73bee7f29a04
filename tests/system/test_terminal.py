"""`twinit -- CMD` on a terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

import pytest

from container import MODES, PATIENCE, TookTooLong, binary, children

PROMPT = b"42> "  # what a shell that is told PS1=$((40+2))'> ' shows, and nobody types
JOB = "sh -c 'echo job $((6 * 7)); exec sleep 1000'"  # ready when it says what nobody types
SHELL = ["bash", "--norc", "--noprofile", "--noediting"]

# Says its size whenever it changes.
WINDOW = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
print("watching", flush=True)
while True:
    signal.sigwait([signal.SIGWINCH])
    print("size %d %d." % os.get_terminal_size(), flush=True)
"""


class Terminal:
    """A program, mostly twinit with a command, on a terminal of its own."""

    def __init__(self, *program):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvp(program[0], program)
        self.seen = b""  # and not yet read

    def read_until(self, text):
        """Waits until the terminal shows the text; returns what came before it since the last time."""
        while text not in self.seen:
            if not select.select([self.master], [], [], PATIENCE)[0]:
                raise TookTooLong("no %r in %r" % (text, self.seen))
            try:
                self.seen += os.read(self.master, 4096)
            except OSError:
                raise TookTooLong("it was closed after %r" % self.seen) from None
        before, _, self.seen = self.seen.partition(text)
        return before.decode()

    def type(self, text):
        """What a person would type."""
        os.write(self.master, text)

    def resize(self, columns, lines):
        """What a person does with the window."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def foreground(self):
        """The process group that the terminal belongs to now."""
        return os.tcgetpgrp(self.master)

    def wait_foreground(self, good):
        """Waits until good(group)."""
        deadline = time.monotonic() + PATIENCE
        while not good(self.foreground()):
            if time.monotonic() > deadline:
                raise TookTooLong("the terminal is still group %d's; it shows %r" % (self.foreground(), self.seen))

    def end(self):
        """The exit status."""
        fd = os.pidfd_open(self.pid)
        try:
            if not select.select([fd], [], [], PATIENCE)[0]:
                raise TookTooLong("it runs on; the terminal shows %r" % self.seen)
        finally:
            os.close(fd)
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid is not None:
            for pid in [*children(self.pid), self.pid]:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)


class Shell(Terminal):
    """A shell that a person uses."""

    def __init__(self, *program):
        super().__init__(*program)
        self.type(b"PS1=$((40+2))'> '\n")
        self.greeting = self.read_until(PROMPT)
        self.group = self.foreground()

    def do(self, line):
        """Types a command, waits until it is over or in the background; returns what it showed."""
        self.type(line.encode() + b"\n")
        return self.read_until(PROMPT).partition("\r\n")[2]

    def begin(self, line, text=None):
        """Types a command and waits until the terminal is the job's, and has its text."""
        self.type(line.encode() + b"\n")
        self.wait_foreground(lambda group: group not in (self.group, 0))
        if text:
            self.read_until(text)

    def press(self, key):
        """A key that ends or stops the job in the foreground; returns what the shell says."""
        self.type(key)
        return self.read_until(PROMPT)

    def until(self, line, pattern):
        """Does it again and again until it shows the pattern."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, shown := self.do(line)):
            if time.monotonic() > deadline:
                raise TookTooLong("no %r from %r but %r" % (pattern, line, shown))


def start(mode):
    """argv of twinit in that mode, without a command."""
    return [*MODES[mode], str(binary())]


@pytest.fixture(params=MODES)
def mode(request):
    """As PID 1 of a container, and below another init."""
    return request.param


# --- a command


def test_ctrl_c_reaches_the_command(mode):
    script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 1; done"
    with Terminal(*start(mode), "--", "sh", "-c", script) as terminal:
        terminal.read_until(b"ready")
        terminal.type(b"\x03")
        terminal.read_until(b"caught")
        assert terminal.end() == 9


def test_ctrl_c_ends_a_command_that_does_not_handle_it(mode):
    with Terminal(*start(mode), "--", "sh", "-c", "echo ready; exec sleep 60") as terminal:
        terminal.read_until(b"ready")
        terminal.type(b"\x03")
        assert terminal.end() == 128 + signal.SIGINT


def test_the_command_may_read_the_terminal_and_change_it(mode):
    script = "stty -echo && echo ready && read line && echo \"got $line\"; exit 3"
    with Terminal(*start(mode), "--", "sh", "-c", script) as terminal:
        terminal.read_until(b"ready")
        terminal.type(b"word\n")
        terminal.read_until(b"got word")
        assert terminal.end() == 3


def test_ctrl_z_stops_it_and_it_goes_on():
    """As a job of a shell: the shell sees it stop, and fg continues it."""
    job = "%s -- sh -c 'echo ready; read line; echo got $line; exit 6'" % binary()
    with Terminal("/bin/sh", "-c", "set -m; %s; echo stopped $?; fg; echo ended $?" % job) as terminal:
        terminal.read_until(b"ready")
        terminal.type(b"\x1a")
        terminal.read_until(b"stopped 14")
        terminal.type(b"word\n")
        terminal.read_until(b"got word")
        terminal.read_until(b"ended 6")
        assert terminal.end() == 0


def test_a_closed_terminal_ends_the_command():
    with Terminal(*start("subreaper"), "--", "sh", "-c", "echo ready; exec sleep 60") as terminal:
        terminal.read_until(b"ready")
        os.close(terminal.master)
        terminal.master = os.open("/dev/null", os.O_RDONLY)
        assert terminal.end() == 128 + signal.SIGHUP


def test_as_pid_1_ctrl_z_stops_nobody_for_good():
    """There is no shell above that could continue it."""
    with Terminal(*start("pid1"), "--", "sh", "-c", "echo ready; read line; echo got $line; exit 6") as terminal:
        terminal.read_until(b"ready")
        terminal.type(b"\x1a")
        terminal.type(b"word\n")
        terminal.read_until(b"got word")
        assert terminal.end() == 6


def test_the_command_learns_the_new_size_of_the_window(mode):
    with Terminal(*start(mode), "--", sys.executable, "-c", WINDOW) as terminal:
        terminal.read_until(b"watching")
        for columns, lines in ((111, 33), (122, 44)):
            terminal.resize(columns, lines)
            terminal.read_until(b"size %d %d." % (columns, lines))


@pytest.mark.parametrize("ends", ["true", "kill -9 $$"])
def test_whoever_started_it_has_the_terminal_back_afterwards(ends):
    """Or it would be stopped when it reads."""
    script = "%s -- sh -c '%s'; read line; echo got $line; exit 5" % (binary(), ends)
    with Terminal("/bin/sh", "-c", script) as terminal:
        terminal.type(b"word\n")
        terminal.read_until(b"got word")
        assert terminal.end() == 5


# --- a shell


@pytest.fixture
def shell(mode):
    """`twinit -- bash`."""
    with Shell(*start(mode), "--", *SHELL) as one:
        yield one


def test_a_shell_has_job_control(shell):
    assert "job control" not in shell.greeting
    shell.begin(JOB, b"job 42")
    assert "Stopped" in shell.press(b"\x1a")
    assert shell.foreground() == shell.group
    assert re.search(r"\[1\]\+ +Stopped +sh -c", shell.do("jobs"))
    shell.do("bg")
    assert re.search(r"\[1\]\+ +Running +sh -c", shell.do("jobs"))
    shell.begin("fg")
    shell.press(b"\x03")
    assert shell.do("echo status $?") == "status 130\r\n"
    assert shell.do("jobs") == ""
    shell.type(b"exit 7\n")
    assert shell.end() == 7


def test_a_job_in_the_background_that_reads_is_stopped(shell):
    shell.do("cat &")
    shell.until("jobs", r"Stopped +cat")
    shell.begin("fg")
    shell.type(b"word\n")
    shell.read_until(b"word\r\nword")
    shell.press(b"\x04")
    assert shell.do("echo status $?") == "status 0\r\n"


def test_ctrl_c_and_ctrl_backslash_end_the_job_and_not_the_shell(shell):
    shell.press(b"\x03")
    assert shell.do("echo $((6 * 7))") == "42\r\n"
    for key, status in ((b"\x03", 130), (b"\x1c", 131)):
        shell.begin(JOB, b"job 42")
        shell.press(key)
        assert shell.do("echo status $?") == "status %d\r\n" % status


def test_a_shell_and_its_jobs_learn_the_new_size_of_the_window(shell, tmp_path):
    (tmp_path / "window.py").write_text(WINDOW)
    shell.resize(111, 33)
    assert shell.do("stty size") == "33 111\r\n"
    shell.begin("%s %s" % (sys.executable, tmp_path / "window.py"), b"watching")
    shell.resize(122, 44)
    shell.read_until(b"size 122 44.")
    shell.press(b"\x03")
    assert shell.do("stty size") == "44 122\r\n"


def test_the_end_of_input_ends_the_shell(shell):
    shell.do("(exit 3)")
    shell.type(b"\x04")
    assert shell.end() == 3


# --- a job of a shell


@pytest.fixture
def above():
    """bash, to start twinit from."""
    with Shell(*SHELL) as one:
        yield one


def test_a_job_that_was_stopped_goes_on_in_the_background_and_leaves_the_terminal_alone(above):
    above.begin("%s -- %s" % (binary(), JOB), b"job 42")
    assert "Stopped" in above.press(b"\x1a")
    above.do("bg")
    assert "Running" in above.do("jobs")
    assert above.foreground() == above.group
    above.begin("fg")
    above.press(b"\x03")
    assert above.do("echo status $?") == "status 130\r\n"


def test_a_job_that_began_in_the_background_gets_the_terminal_with_fg(above, tmp_path):
    os.mkfifo(tmp_path / "ready")
    above.do("%s -- sh -c 'echo >%s; exec sleep 1000' &" % (binary(), tmp_path / "ready"))
    (tmp_path / "ready").read_text()
    assert above.foreground() == above.group
    above.begin("fg")
    assert "Stopped" in above.press(b"\x1a")
    above.begin("fg")
    above.press(b"\x03")
    assert above.do("echo status $?") == "status 130\r\n"


def test_a_job_that_begins_to_read_after_fg_may(above, tmp_path):
    """No shell tells a job that runs that it is in the foreground now."""
    os.mkfifo(tmp_path / "go")
    above.do("%s -- sh -c 'read go <%s; read line; echo got $line' &" % (binary(), tmp_path / "go"))
    above.begin("fg")
    (tmp_path / "go").write_text("go\n")
    above.type(b"word\n")
    above.read_until(b"got word")
    above.read_until(PROMPT)
    assert above.do("echo status $?") == "status 0\r\n"


def test_a_job_in_the_background_that_reads_is_stopped_until_fg(above):
    above.do("%s -- cat &" % binary())
    above.until("jobs", r"Stopped.* -- cat")
    above.begin("fg")
    above.type(b"word\n")
    above.read_until(b"word\r\nword")
    above.press(b"\x04")
    assert above.do("echo status $?") == "status 0\r\n"
