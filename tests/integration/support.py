"""What the integration tests share: stacks, waiting for events, and looking at processes.

A Site is the sample stack of tools/stack.py in a folder of its own with free ports, plus app/check.php and
app/visit.php in every release. Sites that run are in `running`, so that a failing test can show their logs.
"""

import atexit
import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tools"))
import stack  # noqa: E402 (found by the line above)
from processes import (  # noqa: E402,F401 (tests take some of them from here)
    assert_is_powerless, children, fpm_masters, in_namespace, is_zombie, namespace, process, processes, runs_fpm,
    sockets_of, status_field, still_there, title, workers)
from stack import StackError  # noqa: E402
from waiting import HOST, SECONDS, wait_until  # noqa: E402

free_ports, port_problem = stack.free_ports, stack.port_problem
APP = REPO / "tests" / "app"
QUICK_STOP = {"TWINIT_APP_QUIET": "100ms"}

VARIANTS = {
    "namespace": {"env": {"TWINIT_ISOLATION": "namespace", **QUICK_STOP}},
    "path": {"env": {"TWINIT_ISOLATION": "path", "TWINIT_APP_DOCROOT": "public", **QUICK_STOP}},
    "unix": {"env": {"TWINIT_ISOLATION": "namespace", **QUICK_STOP}, "unix": True},
}

running = []


class MasterCount:
    """Counts the FPM masters of a twinit every two milliseconds as long as the `with` lasts; `most` at once."""

    def __init__(self, task):
        self.most = self.samples = 0
        self._pid = task.pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._stop.wait(0.002):
            self.most = max(self.most, sum(map(runs_fpm, children(self._pid))))
            self.samples += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(SECONDS)


def assert_masters_are_confined(twinit, user="www-data"):
    """Two masters, children of this pid, each in a mount namespace of its own, as that user and powerless."""
    masters = fpm_masters(twinit)
    assert len(masters) == 2
    namespaces = {namespace(pid, "mnt") for pid in [twinit, *masters]}
    assert len(namespaces) == 3, "twinit and each master has a mount namespace of its own"
    for pid in [*masters, *(worker for master in masters for worker in children(master))]:
        assert_is_powerless(pid, user)
    return masters


# The stack.

@functools.cache
def binary():
    """A copy of build/twinit: somebody may build while the tests run."""
    folder = tempfile.mkdtemp(prefix="twinit-binary-", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    return shutil.copy2(os.environ.get("TWINIT", REPO / "build" / "twinit"), folder + "/twinit")


class Site(stack.Stack):
    """The sample stack for one test; nginx tries nothing twice unless told to."""

    def __init__(self, **options):
        folder = tempfile.mkdtemp(prefix="twinit-", dir="/tmp")  # short, for the control socket
        ports = {"port": 0, "fpm_port": 0, "redis_port": 0}
        super().__init__(folder, **{"retries": False, "binary": binary(), **ports, **options})

    def install_release(self, number):
        target = super().install_release(number)
        for file in APP.glob("*.php"):
            text = file.read_text().replace("@RELEASE@", str(number))
            (target / "public" / file.name).write_text(text)
        stack.open_to_all(target)
        return target

    def start(self):
        running.append(self)
        super().start()

    def end(self):
        """Stops everything and removes the folder. Whatever had to be killed is a failure."""
        self.stop()
        if self in running:
            running.remove(self)
        shutil.rmtree(self.directory, ignore_errors=True)
        assert not self.killed, "did not stop and had to be killed: %s" % self.killed

    def app(self, task=None):
        """The app's part of `twinit status --json`."""
        return (task or self.task).status_json()["apps"][0]

    def roll_to(self, release, task=None):
        """Moves the symlink and rolls as an operator does; returns the lines of `twinit restart`."""
        self.current(release)
        return (task or self.task).restart().splitlines()

    def wait_rolled(self, number, task=None):
        """Waits until `number` rolls are over, for those that a signal asked for."""
        return wait_until("%d rolls are over" % number, SECONDS, lambda: self.app(task),
                          lambda app: app["rolls"] >= number and app["roll"] == "idle")

    def wait_masters(self, count=2, task=None):
        """Waits until that many masters are ready and nothing else is there; returns their pids from outside."""
        def look():
            return [one["state"] for one in self.app(task)["masters"]], (task or self.task).masters()
        # Both views: twinit's may be older than the death of a master.
        return wait_until("%d ready masters" % count, SECONDS, look,
                          lambda seen: seen[0] == ["ready"] * count and len(seen[1]) == count)[1]

    def master_of(self, replica, task=None):
        """The pid from outside of an active replica's master; twinit itself knows the one inside."""
        inside = {str(one["pid"]) for one in self.app(task)["masters"]
                  if (one["replica"], one["group"]) == (replica, "active")}
        return next(pid for pid in (task or self.task).masters() if status_field(pid, "NStgid").split()[-1] in inside)

    def workers(self, task=None):
        """Pids from outside of all workers that serve visitors."""
        return [pid for master in (task or self.task).masters() for pid in workers(master)]

    def busy(self, task=None):
        """Pids of the workers that have a connection; one that waits for the next has the listening socket only."""
        return [pid for pid in self.workers(task) if len(sockets_of(pid)) > 1]

    def wait_busy(self, count, task=None):
        """Waits until that many workers have something to do; returns their pids."""
        return wait_until("%d busy workers" % count, SECONDS, lambda: self.busy(task),
                          lambda found: len(found) == count)

    def lines(self, pattern, task=None):
        """The lines of twinit's log so far that match; its newest may still be on their way to us."""
        return [line for line in (task or self.task).since() if re.search(pattern, line)]

    def said(self, pattern, count=1, task=None):
        """Waits until twinit's log has that many lines that match, and returns them."""
        return wait_until("%d lines like %r" % (count, pattern), SECONDS, lambda: self.lines(pattern, task),
                          lambda found: len(found) >= count)

    def report(self):
        """[(title, text)] for a failure: what the processes said, and what twinit says of itself."""
        sections = [("%s said" % one.name, one.tail(60)) for one in self.tasks]
        sections += [("%s said" % one.name, one.tail(10)) for one in (self.nginx, self.redis)]
        for task in self.tasks:
            if task.running():
                try:
                    sections.append(("%s status" % task.name, task.twinit("status", timeout=10).stdout))
                except Exception as error:  # the report must not hide the failure
                    sections.append(("%s status" % task.name, repr(error)))
        return sections


def start_and_wait_for_end(site, argv=None, env=None):
    """Starts a twinit that will not serve; returns its exit status."""
    with contextlib.suppress(StackError):  # it was gone before its pid could be read
        site.task.start(argv, env)
    return site.task.wait(60)


def redis_command(site, *words):
    """What the site's Redis answers, as redis-cli shows it in a pipe."""
    done = subprocess.run(["redis-cli", "-h", HOST, "-p", str(site.redis_port), *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS)
    return done.stdout.rstrip("\n")


def errors_of(task):
    """What a twinit logged as errors, without the prefix."""
    return [line.partition("twinit: error: ")[2] for line in task.since() if line.startswith("twinit: error: ")]
