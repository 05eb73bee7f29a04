"""Chaos and soak: `make soak MINUTES=60 SEED=1`, as root.

Real php-fpm, nginx and Redis under load, rolls one after the other, and faults of all kinds at the same time; judge.py
says what must hold. Ends with a table and the line "N passed, N failed". The same SEED draws the same.
"""

import collections
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "soak"), str(TESTS / "integration"), str(TESTS / "lib")]
import faults  # noqa: E402 (found by the line above)
import report  # noqa: E402
import rolls  # noqa: E402
from footprint import differences, footprint, memory_kb  # noqa: E402
from judge import Announcement, Judge, Request  # noqa: E402
from lane import Lane  # noqa: E402
from processes import in_namespace, is_zombie, namespace  # noqa: E402
from surroundings import WORKERS, Group, Listener, SoakSite, own_mounts  # noqa: E402
from waiting import wait_until  # noqa: E402

CALM = ["/srv/bin/twinit"] + ["php-fpm: master process"] * 2 + ["php-fpm: pool www"] * WORKERS
WARM_UP = 120  # seconds at most, before anything is measured
SAMPLE = 5
GROWS_BY_KB = {"RssAnon": 64, "VmRSS": 256}  # at most: pages of PID 1's own, and those of its file beside them
ACTIONS_SHOWN = 50
TOO_MANY = 50  # bad answers
# Seconds between actions, on average.
PAUSE = {"rolls": 0.1, "kills": 2.5, "stops": 3.0, "surroundings": 4.0, "control": 5.0}
ROLLS_A_MINUTE, FAULTS_A_MINUTE = 1000 / 60, 2000 / 60


class Soak:
    """All of it."""

    def __init__(self, minutes, seed):
        self.minutes, self.seed = minutes, seed
        self.folder = Path(tempfile.mkdtemp(prefix="twinit-soak-", dir="/tmp"))
        self.listener = Listener()
        self.site = SoakSite(seed, self.listener)
        self.config = self.site.task.fpm_config / "twinit.conf"
        self.configuring = threading.Lock()
        self.judge = Judge(1)
        self.over, self.released = threading.Event(), threading.Event()
        self.checks = []  # (passed, sentence)
        self.problems = []
        self.before = self.after = self.memory_before = self.memory_after = None
        self.inside = None  # the pid namespace
        self.slowest_health = 0.0
        self.crowd = self._reader = None
        self._guard = threading.Lock()
        self._number = self._noted = 0
        self._log = open(self.folder / "actions", "w", buffering=1)
        self.recent = collections.deque(maxlen=ACTIONS_SHOWN)
        self._began = time.monotonic()
        self._begun_file = None
        self._rest = ""
        self.roller = rolls.Roller(self)
        self.lanes = [Lane(self, "rolls", rolls.Roller.KINDS, PAUSE["rolls"],
                           lambda kind, draw: kind(self.roller, draw))]
        self.lanes += [Lane(self, name, kinds, PAUSE[name], lambda kind, draw: kind(self, draw))
                       for name, kinds in faults.LANES.items()]

    # What is written down.

    def next_number(self):
        with self._guard:
            self._number += 1
            return self._number

    def _note(self, text):
        line = "%9.3f %s" % (time.monotonic() - self._began, text)
        with self._guard:
            self.recent.append(line)
            self._log.write(line + "\n")

    def began(self, lane, kind, draw):
        """An action begins; returns its number."""
        number = self.next_number()
        self._note("#%d %s %s (%s)" % (number, lane, kind, " ".join("%.3f" % one for one in draw)))
        return number

    def ended(self, number, said):
        self._note("#%d: %s" % (number, said if isinstance(said, str) else "; ".join(filter(None, said))))

    def broke(self, text):
        """Something that must not happen; the soak ends."""
        self._note(text)
        self.problems.append(text)
        self.over.set()

    # The crowd.

    def start_crowd(self):
        fpm = self.site.task.address if self.site.unix else self.site.task.port
        argv = [sys.executable, TESTS / "soak" / "crowd.py", self.site.port, fpm, self.seed]
        self.crowd = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True)
        self._reader = threading.Thread(target=self._read_crowd, daemon=True)
        self._reader.start()

    def _read_crowd(self):
        with open(self.folder / "requests", "w") as copy:
            for line in self.crowd.stdout:
                copy.write(line)
                self.judge.record(Request(*json.loads(line)))
        if not self.over.is_set():
            self.broke("the crowd has gone")

    def read_begun(self):
        """What PHP has announced."""
        if self._begun_file is None:
            self._begun_file = open(self.site.directory / "sock" / "begun")
        lines = (self._rest + self._begun_file.read()).split("\n")
        self._rest = lines.pop()
        for line in lines:
            name, pid, parent, release, at = line.split()
            if name != "-":
                self.judge.announced(name, Announcement(int(pid), int(parent), int(release), int(at)))

    # Looking after it.

    def look(self):
        """One turn of the watch: what came is judged, and PID 1 must be there."""
        now = time.monotonic_ns()
        self.read_begun()
        self.judge.work(now)
        if not self.site.task.running() or self.site.task.pid is None:
            self.broke("PID 1 has gone, status %s" % self.site.task.status)
        while self._noted < len(self.judge.bad):
            self._note("judged: %r" % (self.judge.bad[self._noted],))
            self._noted += 1
        if self._noted >= TOO_MANY:
            self.broke("too much went wrong to go on")

    def faults(self):
        """How often each has been carried out."""
        return sum((lane.count for lane in self.lanes[1:]), collections.Counter())

    def quota(self, a_minute):
        """How many of something there are to be."""
        return int(self.minutes * a_minute)

    def enough(self):
        """As many rolls and faults as there are to be; a slow machine gets more time for them."""
        return (self.listener.outcomes["done"] >= self.quota(ROLLS_A_MINUTE)
                and self.faults().total() >= self.quota(FAULTS_A_MINUTE))

    def watch(self, seconds, more=0.0):
        """Until then, or until something breaks; some seconds more as long as it is not enough()."""
        end, sample = time.monotonic() + seconds, 0.0
        while not self.over.is_set():
            if time.monotonic() > end and (time.monotonic() > end + more or self.enough()):
                break
            self.look()
            if time.monotonic() > sample:
                sample = time.monotonic() + SAMPLE
                self._sample()
            self.over.wait(0.2)

    def _sample(self):
        begin = time.monotonic()
        self.site.task.twinit("health", timeout=60)
        self.slowest_health = max(self.slowest_health, time.monotonic() - begin)
        with contextlib.suppress(TypeError, AttributeError):
            self._note("PID 1: %d KB, %d KB of its own; %s; %s" % (
                memory_kb(self.site), memory_kb(self.site, "RssAnon"), dict(self.listener.outcomes),
                dict(self.judge.own)))

    @contextlib.contextmanager
    def calm(self):
        """No lane acts, all is settled."""
        with contextlib.ExitStack() as held:
            for lane in self.lanes:
                held.enter_context(lane.busy)
            self._note("calm: %s" % "; ".join(self.roller.plain()))
            yield self.settled()

    def settled(self):
        """Waits until both masters serve alone and nobody else is there; returns the footprint of that moment."""
        def look():
            self.look()
            app = self.roller.status()
            return app["roll"], [(one["group"], one["state"]) for one in app["masters"]]
        try:
            wait_until("both masters serve alone", 120, look, lambda seen: seen == ("idle", [("active", "ready")] * 2))
            return wait_until("nobody but they is there", 120, lambda: footprint(self.site),
                              lambda seen: seen["processes"] == CALM, pause=0.1)
        except AssertionError:
            for pid in in_namespace("pid", namespace(self.site.task.pid, "pid")):
                self._note(report.process(pid))
            raise

    def memory(self):
        """What PID 1 takes."""
        return {name: memory_kb(self.site, name) for name in GROWS_BY_KB}

    # The whole.

    def check(self, passed, sentence):
        """One of the things that the last line counts."""
        self.checks.append((bool(passed), sentence))

    def run(self):
        """All of it; returns the exit status."""
        group = self.group = Group()
        try:
            self.site.start()
            self.inside = namespace(self.site.task.pid, "pid")
            group.take([self.site.task.pid, *self.site.task.descendants()])
            self.start_crowd()
            self.chaos()
            self.finish()
        except BaseException:
            self.broke(traceback.format_exc())
        finally:
            self.over.set()
            self.end()
            group.remove()
        return self.verdict()

    def chaos(self):
        """Warm-up, measure, the rest of the time, measure again."""
        for lane in self.lanes:
            lane.start()
        warm_up = min(WARM_UP, self.minutes * 15)
        self.watch(warm_up)
        if self.over.is_set():
            return
        with self.calm() as self.before:
            self.memory_before = self.memory()
            self._note("measured: %r %r" % (self.before, self.memory_before))
        self.watch(self.minutes * 60 - warm_up, more=self.minutes * 60)

    def finish(self):
        """After quiet: everything is as it was."""
        if self.over.is_set():
            return
        with self.calm() as self.after:
            self.over.set()
            with contextlib.suppress(AssertionError):  # the checks say what is not
                self.after = wait_until("everything is as before", 60, lambda: footprint(self.site),
                                        lambda seen: not differences(self.before, seen), pause=0.1)
            self.memory_after = self.memory()
            wait_until("there is no zombie", 60, lambda: [pid for pid in in_namespace("pid", self.inside)
                                                          if is_zombie(pid)], lambda seen: not seen, pause=0.1)
        for what, before in self.before.items():
            self.check(self.after[what] == before, "%s: as before" % what)
        for field, most in GROWS_BY_KB.items():
            self.check(self.memory_after[field] <= self.memory_before[field] + most,
                       "%s of PID 1 has grown by no more than %d KB" % (field, most))

    def end(self):
        """Stops the crowd, then the site; whatever is left then is a failure."""
        for lane in self.lanes:
            lane.busy.acquire(timeout=60)  # what it does is undone
        if self.crowd is not None:
            self.crowd.stdin.close()
            self._reader.join(120)
            self.read_begun()
        time.sleep(0.1)  # the records of the last answers
        self.judge.work(time.monotonic_ns() + 10 * self.judge.DELAY)
        status = self.site.task.stop() if self.site.task.running() else self.site.task.status
        self.check(status == 0, "twinit stops with status 0 when it is asked to (%s)" % status)
        self.check(self.inside and not in_namespace("pid", self.inside), "nothing is left of it")
        self.released.set()
        self.site.stop()
        shutil.move(self.site.directory / "log", self.folder / "log")
        shutil.move(self.site.directory / "sock" / "begun", self.folder / "begun")
        for name in (self.site.task.run_dir, self.site.directory / "app"):
            subprocess.run(["umount", name], check=False)
        shutil.rmtree(self.site.directory, ignore_errors=True)

    def verdict(self):
        """The checks that hold for the whole; returns the exit status after table and last line."""
        bad = collections.Counter(bad.why for bad in self.judge.bad)
        done, faults_done = self.listener.outcomes["done"], self.faults().total()
        self.check(not self.problems, "nothing broke")
        self.check(not bad["lost"], "no response was lost but by the worker that was killed")
        self.check(not bad["wrong"], "no answer was wrong")
        self.check(set(bad) <= {"lost", "wrong", "session"}, "no answer came from a release that could not serve")
        self.check(not bad["session"], "no session was lost or mixed up")
        for what, count, most in (("rolls were done", done, self.quota(ROLLS_A_MINUTE)),
                                  ("faults", faults_done, self.quota(FAULTS_A_MINUTE))):
            self.check(count >= most, "at least %d %s" % (most, what))
        failed = [sentence for passed, sentence in self.checks if not passed]
        if failed:
            report.failure(self)
        report.table(self)
        for passed, sentence in self.checks:
            print("%s %s" % ("ok    " if passed else "FAILED", sentence))
        print("%d passed, %d failed" % (len(self.checks) - len(failed), len(failed)), flush=True)
        if not failed:
            shutil.rmtree(self.folder)
        return 1 if failed else 0


def main(words):
    if os.geteuid() != 0:
        os.execvp("sudo", ["sudo", sys.executable, "-B", *sys.argv])
    minutes = float(words[0]) if words else 2
    seed = words[1] if len(words) > 1 and words[1] else str(time.time_ns() % 1000000)
    print("SEED=%s MINUTES=%g" % (seed, minutes), flush=True)
    own_mounts()
    return Soak(minutes, seed).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
