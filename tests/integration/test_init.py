"""Item 8: an init for any command, and for 10,000 orphans."""

import os
import signal
import subprocess
import sys
import time

import pytest

from clients import Crowd, post, release_of_check
from support import SECONDS, binary, children, is_zombie, wait_until

ORPHANS = 10000
SLOW_SECONDS = 120  # for 10,000 forks on a busy machine

# Its grandchildren are orphans at once, wait for the end of a pipe, and all exit when this program says "go".
ORPHAN_MAKER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	int hold[2], count[2], n = argc > 1 ? atoi(argv[1]) : 0;
	char byte;

	if (pipe(hold) < 0 || pipe(count) < 0)
		return 1;
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();
		if (pid < 0)
			return 2;
		if (pid == 0) {
			pid_t orphan = fork();
			if (orphan != 0)
				_exit(orphan < 0);
			close(hold[1]);
			if (write(count[1], "x", 1) == 1)
				while (read(hold[0], &byte, 1) > 0)
					;
			_exit(0);
		}
		int status;
		if (waitpid(pid, &status, 0) != pid || status != 0 || read(count[0], &byte, 1) != 1)
			return 3;
	}
	printf("%d orphans\n", n);
	fflush(stdout);
	if (read(0, &byte, 1) != 1)
		return 4;
	close(hold[1]);
	return 0;
}
"""


@pytest.fixture(scope="module")
def orphan_maker(tmp_path_factory):
    """The program above."""
    folder = tmp_path_factory.mktemp("orphans")
    (folder / "orphans.c").write_text(ORPHAN_MAKER)
    subprocess.run(["cc", "-O2", "-static", "-o", "orphans", "orphans.c"], cwd=folder, check=True)
    return str(folder / "orphans")


def init_command(pid1, *command):
    """argv: twinit as PID 1 of a namespace, or as a child of somebody."""
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] if pid1 else []
    return [*unshare, binary(), *command]


@pytest.fixture(params=[True, False], ids=["pid1", "subreaper"])
def pid1(request):
    """Both ways in which twinit gets the orphans."""
    return request.param


def start(pid1, *command):
    """The init and, as seen from here, twinit's pid."""
    popen = subprocess.Popen(init_command(pid1, *command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    if not pid1:
        return popen, popen.pid
    return popen, wait_until("twinit runs", SECONDS, lambda: children(popen.pid))[0]


def end(popen):
    """Whatever happened, nothing stays."""
    if popen.poll() is None:
        popen.kill()
    popen.communicate()


@pytest.mark.parametrize("words, status", [
    (["--", "sh", "-c", "exit 42"], 42),
    (["sh", "-c", "exit 42"], 42),
    (["--", "true"], 0),
    (["--", "sh", "-c", "kill -TERM $$"], 143),
    (["--", "sh", "-c", "kill -KILL $$"], 137),
    (["--", "sh", "-c", "kill -SEGV $$"], 139),
    (["--", "/no/such/command"], 127),
    (["--", "/etc/passwd"], 126),
])
def test_the_exit_status_is_the_commands(pid1, words, status):
    done = subprocess.run(init_command(pid1, *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    assert done.returncode == status, done.stdout
    if status in (126, 127):
        assert done.stdout.startswith("twinit: ") and words[1] in done.stdout


def test_term_sent_to_twinit_reaches_the_command_and_gives_143(pid1):
    popen, twinit = start(pid1, "--", "sh", "-c", "echo ready; read x; exit 1")
    try:
        assert popen.stdout.readline() == "ready\n"
        os.kill(twinit, signal.SIGTERM)
        assert popen.wait(SECONDS) == 143
    finally:
        end(popen)


def test_every_signal_that_a_command_may_want_is_passed_on(pid1):
    names = ["HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "WINCH", "CONT", "ALRM", "PWR", "RTMIN+3"]
    program = ("import signal, sys\n"
               "names = sys.argv[1:]\n"
               "numbers = {getattr(signal, 'SIG' + n.partition('+')[0]) + int(n.partition('+')[2] or 0): n "
               "for n in names}\n"
               "signal.pthread_sigmask(signal.SIG_BLOCK, numbers)\n"
               "print('ready', flush=True)\n"
               "for _ in names:\n"
               "    print(numbers[signal.sigwait(numbers)], flush=True)\n"
               "sys.exit(7)\n")
    popen, twinit = start(pid1, "--", sys.executable, "-c", program, *names)
    try:
        assert popen.stdout.readline() == "ready\n"
        for name in names:
            number = getattr(signal, "SIG" + name.partition("+")[0]) + int(name.partition("+")[2] or 0)
            os.kill(twinit, number)
            assert popen.stdout.readline().strip() == name
        assert popen.wait(SECONDS) == 7
    finally:
        end(popen)


def zombies_below(pid):
    """How many dead children it has not reaped."""
    return sum(map(is_zombie, children(pid)))


def test_10000_orphans_that_exit_at_once_are_all_reaped(pid1, orphan_maker):
    popen, twinit = start(pid1, "--", "sh", "-c", "%s %d; echo made; read x; exit 9" % (orphan_maker, ORPHANS))
    try:
        assert popen.stdout.readline() == "%d orphans\n" % ORPHANS
        assert len(children(twinit)) == ORPHANS + 1, "all are twinit's children now, and its command"
        popen.stdin.write("g")
        popen.stdin.flush()
        assert popen.stdout.readline() == "made\n"
        wait_until("only the command is left", SLOW_SECONDS, lambda: len(children(twinit)), lambda count: count == 1)
        assert zombies_below(twinit) == 0
        popen.stdin.write("\n")
        popen.stdin.flush()
        assert popen.wait(SECONDS) == 9
    finally:
        end(popen)


def test_10000_orphans_under_a_serving_twinit_are_reaped_while_requests_go_on(site, orphan_maker, record_property):
    twinit = site.task.pid
    before = site.task.status_json()["reaped"]
    with Crowd(4, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(20)
        maker = subprocess.Popen(["nsenter", "--target", str(twinit), "--pid", orphan_maker, str(ORPHANS)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert maker.stdout.readline() == "%d orphans\n" % ORPHANS
            assert len(children(twinit)) >= ORPHANS
            begin = time.monotonic()
            maker.communicate("g", timeout=SLOW_SECONDS)
            wait_until("only the masters are left", SLOW_SECONDS, lambda: len(children(twinit)), lambda n: n == 2)
            record_property("reaped_in_s", time.monotonic() - begin)
        finally:
            end(maker)
        assert site.task.status_json()["reaped"] >= before + ORPHANS
        site.roll_to(2)
        crowd.wait_answers(20)
    assert not crowd.failures() and not crowd.refused()
