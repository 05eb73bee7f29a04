"""The soak's rolls: in each way in which one can be asked for, to good releases and bad ones.

The Roller gives one order at a time, waits until no roll is under way, and tells the judge before and after which
release may serve.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time

from support import StackError
from waiting import wait_until

PATIENCE = 120  # seconds for a roll and the one that follows it, whatever is done to them
KEPT = 4  # releases that are not deleted
STORM = 50

CONFIG = """\
; Made by the soak.
[sessions]
every = 2s
[app www]
docroot = public
health = /health.php
warm = /ping.php /soak.php
drain_timeout = 30s
linger = %(linger)s
surge = %(surge)s
quiet = 100ms
"""


class Roller:
    """Knows which release serves and which one the symlink names."""

    def __init__(self, soak):
        self.soak, self.site = soak, soak.site
        self.release = 1
        self.newest = 2
        self.linger = "0s"
        self.bad = set()

    # What is there.

    def status(self):
        """The app's part of the status, as soon as PID 1 has a place for us."""
        def look():
            with contextlib.suppress(StackError, ValueError, subprocess.TimeoutExpired):
                return self.site.app()
            return None
        return wait_until("twinit tells its status", PATIENCE, look, pause=0.1)

    def idle(self, rolls):
        """Waits until that many rolls are over and none is under way or remembered."""
        def look():
            first = self.status()
            time.sleep(0.05)
            second = self.status()
            return first["roll"], second["roll"], first["rolls"], second["rolls"]
        wait_until("rolls are over", PATIENCE, look, lambda seen: seen[:2] == ("idle", "idle") and
                   seen[2] == seen[3] >= rolls, pause=0.1)
        return self.status()

    def new_release(self, health="0 200"):
        """Its number; None where there is no room for it."""
        self.newest += 1
        folder = self.site.directory / "app" / "releases" / str(self.newest)
        try:
            self.site.install_release(self.newest)
            (folder / "public" / "health.txt").write_text(health)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        return self.newest

    def link(self):
        """The release that the symlink names, None when it is none."""
        name = os.readlink(self.site.directory / "app" / "current").rpartition("/")[2]
        return int(name) if name.isdigit() else None

    def previous(self):
        """The name of what `twinit rollback` leads to."""
        return os.path.basename(self.status()["previous_release"])

    def point(self, release):
        """Moves the symlink; False where there is no room."""
        try:
            self.site.current(release)
        except OSError:
            return False
        return True

    # Orders.

    def may(self, release, times=1):
        """A roll to that release is asked for, which may be taken back while it is watched."""
        if release is None or release in self.bad:
            return
        now = time.monotonic_ns()
        for _ in range(times):
            self.soak.judge.may(release, now)
            if self.linger != "0s":
                self.soak.judge.may(self.release, now)

    def settle(self, rolls=0):
        """Waits for the end, and tells the judge what serves."""
        app = self.idle(rolls)
        self.release = int(app["release"])
        self.soak.judge.is_now(self.release, time.monotonic_ns())
        return app["last_roll"]

    def order(self, *words):
        """`twinit WORDS`: its exit status, and the last thing it said."""
        done = self.site.task.twinit(*words, timeout=PATIENCE)
        lines = (done.stdout + done.stderr).splitlines() or ["nothing"]
        return "%d %s" % (done.returncode, lines[-1])

    def restart(self, draw):
        """A new release, and `twinit restart`."""
        release = self.new_release()
        if release is not None:
            self.point(release)
        self.may(self.link())
        said = self.order("restart")
        return said, self.settle()

    def again(self, draw):
        """The same release once more."""
        self.may(self.link())
        said = self.order("restart")
        return said, self.settle()

    def hup(self, draw):
        """As a deployer does it."""
        release = self.new_release()
        if release is not None:
            self.point(release)
        self.may(self.link())
        rolls = self.status()["rolls"]
        self.site.task.send([signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2][int(draw[0] * 3)])
        return "", self.settle(rolls + 1)

    def storm(self, draw):
        """Fifty of them at once."""
        release = self.new_release()
        if release is not None:
            self.point(release)
        self.may(self.link(), 3)
        rolls = self.status()["rolls"]
        for _ in range(STORM):
            self.site.hup()
            time.sleep(0.02 * draw[0])
        return "", self.settle(rolls + 1)

    def deploy(self, draw):
        release = self.new_release()
        if release is None:
            return "no room", ""
        self.may(release)
        said = self.order("deploy", str(release))
        return said, self.settle()

    def rollback(self, draw):
        """To the release before, whichever twinit means by that."""
        previous = self.previous()
        if previous.isdigit():
            self.may(int(previous))
        said = self.order("rollback")
        return said, self.settle()

    def regret(self, draw):
        """A deploy that nobody waits for, and the way back before it is over or after."""
        release, previous = self.new_release(), self.previous()
        if release is None:
            return "no room", ""
        for one in (release, self.release, previous):  # the last: the deploy was refused, and the order to go back not
            if str(one).isdigit():
                self.may(int(one))
        said = self.order("deploy", "--no-wait", str(release))
        time.sleep(1.5 * draw[0])
        return "%s, %s" % (said, self.order("rollback")), self.settle()

    def slow_health(self, draw):
        """A release whose health script takes its time."""
        return self.judged(draw, "%d 200" % (100 + 1500 * draw[0]))

    def bad_health(self, draw):
        """A release whose health script says no."""
        return self.judged(draw, "%d 500" % (100 * draw[0]))

    def judged(self, draw, health):
        release = self.new_release(health)
        if release is None:
            return "no room", ""
        if health.endswith("500"):
            self.bad.add(release)
        self.may(release)
        said = self.order("deploy", str(release))
        return said, self.settle()

    def nothing(self, draw):
        """The symlink leads nowhere for a while.

        Not where PHP is pinned by path: FPM looks up the path that the web server sends, which
        leads through the symlink, before it takes its own, and a worker that has not done so before answers 404.
        """
        if self.site.variant == "path":
            return "not with path", ""
        link = self.link() or self.release
        if not self.point("nowhere"):
            return "no room", ""
        rolls = self.status()["rolls"]
        self.site.hup()
        outcome = self.settle(rolls + 1)
        wait_until("there is room for a symlink", PATIENCE, lambda: self.point(link), pause=0.1)
        return "", outcome

    def missing(self, draw):
        """A deploy of nothing."""
        said = self.order("deploy", str(self.newest + 1000))
        return said, self.settle()

    def replica(self, draw):
        """One master after the other."""
        said = self.order("restart", "www", str(1 + int(2 * draw[0])))
        return said, self.settle()

    def away(self, draw):
        """One master is stopped for a moment."""
        number = str(1 + int(2 * draw[0]))
        self.order("stop", "www", number)
        said = self.order("start", "www", number)
        return said, self.settle()

    def delete(self, draw):
        """Old releases go, as deployers do it; those that serve or may come back stay, mostly."""
        kept = {self.release, self.link(), self.previous() if draw[0] < 0.8 else None}
        kept |= {one["release"] for one in self.status()["masters"]}
        kept = {str(one) for one in kept}
        there = sorted((int(name) for name in os.listdir(self.site.directory / "app" / "releases")), reverse=True)
        gone = [number for number in there[KEPT:] if str(number) not in kept]
        for number in gone:
            shutil.rmtree(self.site.directory / "app" / "releases" / str(number))
        return "%d deleted" % len(gone), ""

    def configure(self, draw):
        """Another linger and surge, from the next roll on."""
        linger, surge = ["0s", "0s", "0s", "1s"][int(draw[0] * 4)], int(draw[1] * 3)
        surge = surge if linger == "0s" else 2  # who is watched stays whole
        with self.soak.configuring:
            write_config(self.soak.config, linger, surge)
        # An order to go over to that, which may fail: until then the linger is one or the other.
        before, self.linger = self.linger, max(self.linger, linger)
        said, outcome = self.again(draw)
        self.linger = linger if outcome == "done" else max(before, linger)
        return "linger %s, surge %d: %s" % (linger, surge, said), outcome

    def plain(self):
        """Back to the configuration of the beginning, which costs no process more than any other, by rolls that must
        be done: nothing stands in their way any more. The first one may be refused by what is not over yet."""
        with self.soak.configuring:
            write_config(self.soak.config)
        self.point(self.release)
        said = [wait_until("a roll is done", PATIENCE, lambda: self.again(None), lambda seen: seen[1] == "done",
                           pause=1)[0] for _ in range(2)]
        self.linger = "0s"
        return said

    KINDS = {restart: 6, again: 2, hup: 6, storm: 1, deploy: 6, rollback: 2, regret: 1, slow_health: 1, bad_health: 1,
             nothing: 1, missing: 1, replica: 1, away: 1, delete: 4, configure: 1}


def write_config(path, linger="0s", surge=2):
    """twinit.conf, all at once."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(CONFIG % {"linger": linger, "surge": surge})
    temporary.chmod(0o644)
    temporary.replace(path)
