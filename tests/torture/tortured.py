"""A twinit whose calls fail, under a small steady load, and what must still hold afterwards."""

import os
import re
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

from container import Container, Request, TookTooLong, binary, children, free_port
from faults import Faults

THREADS = 2
PAUSE = 0.004  # between requests: the processor is for twinit
TURNS_MAX = 50  # of PID 1's loop, for a question; in a second it could be a million
STEPS_MS = 20  # of a roll may be in none of its steps: each is a whole number
LONG = 45.0  # more than any time limit of twinit here


class Load:
    """Threads that ask, each request counted; `lost` has what had no whole answer."""

    def __init__(self, container):
        self.container = container
        self.answered, self.lost = 0, []
        self._go = threading.Event()
        self._over = False
        self._idle = [threading.Event() for _ in range(THREADS)]
        self._threads = [threading.Thread(target=self._run, args=(idle,), daemon=True) for idle in self._idle]
        for thread in self._threads:
            thread.start()

    def _run(self, idle):
        while True:
            if not self._go.is_set():
                idle.set()
            self._go.wait()
            if self._over:
                return
            idle.clear()
            # Who paused before that takes us for idle.
            if self._go.is_set():
                self._ask()
                time.sleep(PAUSE)

    def _ask(self):
        try:
            with Request(self.container.address, timeout=LONG) as request:
                answer = request.end()
        except OSError as error:
            answer = ""
            self.lost.append(repr(error))
        else:
            if len(answer.split()) != 3:
                self.lost.append("the answer was %r" % answer)
        self.answered += answer != ""

    def go(self):
        """Ask from now on."""
        self._go.set()

    def pause(self):
        """No request is under way when this returns."""
        self._go.clear()
        for idle in self._idle:
            assert idle.wait(LONG + 5), "a request has no end"

    def take_lost(self):
        """What was lost since the last time."""
        lost, self.lost = self.lost, []
        return lost

    def end(self):
        """For good."""
        self._over = True
        self._go.set()
        for thread in self._threads:
            thread.join(LONG + 5)


def descriptors(pid):
    """What is open, without the numbers that differ each time."""
    found = Counter()
    for name in os.listdir("/proc/%d/fd" % pid):
        try:
            found[re.sub(r"\d+", "N", os.readlink("/proc/%d/fd/%s" % (pid, name)))] += 1
        except FileNotFoundError:
            pass
    return found


def power_of(pid):
    """How a master is confined; None when it is none, or has gone."""
    try:
        # A master has a session; what is left of `php-fpm -tt` for a moment has none.
        if Path("/proc/%d/comm" % pid).read_text() != "stub-fpm\n" or os.getsid(pid) != pid:
            return None
        text = Path("/proc/%d/status" % pid).read_text()
        own_mounts = os.readlink("/proc/%d/ns/mnt" % pid) != os.readlink("/proc/%d/ns/mnt" % parent_of(text))
    except (FileNotFoundError, ProcessLookupError):
        return None
    wanted = r"(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp|Seccomp_filters|SigIgn):[ \t]*(.*)"
    return {**dict(re.findall(wanted, text)), "mounts of its own": own_mounts}


def parent_of(status):
    """The parent's pid, in a /proc/PID/status."""
    return int(re.search(r"PPid:\s*(\d+)", status)[1])


class Tortured(Container):
    """A Container with faults and a load."""

    def __init__(self, redis=False, on_event="", sessions_every="1s", **options):
        self.faults = Faults()
        self.redis = self._start_redis() if redis else None
        if redis:
            options["sessions"] = ("redis", "tcp://127.0.0.1:%d" % self.redis_port)
        options = {"health": "/health", "warm": "/warm", "start_timeout": "2s", "drain_timeout": "2s", **options}
        super().__init__(**options)
        self.set(publish=self.directory / "published")
        # Stubs keep no sessions; and what nobody could ask is asked again soon.
        self.environment.update(TWINIT_SESSIONS_VERIFY="report", TWINIT_SESSIONS_EVERY=sessions_every,
                                TWINIT_ON_EVENT=on_event)
        self.load = Load(self)
        self.before = self.power = self.given = None
        self.starts = 0

    def _start_redis(self):
        self.redis_port = free_port()
        redis = subprocess.Popen(["redis-server", "--bind", "127.0.0.1", "--port", str(self.redis_port), "--save", ""],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd="/")
        for line in redis.stdout:
            if b"Ready to accept connections" in line:
                return redis
        raise AssertionError("redis-server ended with %d" % redis.wait())

    def __exit__(self, *details):
        if self.redis:
            self.redis.kill()
            self.redis.communicate()
        self.load.end()
        super().__exit__(*details)
        self.faults.close()

    def start(self, *arguments):
        """Commands are not tortured, only this one."""
        self.environment["TORTURE"] = self.faults.path
        try:
            return super().start(*arguments)
        finally:
            del self.environment["TORTURE"]

    def settle(self):
        """Boots, and rolls until nothing is new any more."""
        self.boot()
        for _ in range(5):
            self.roll()
        self.until_calm()
        self.before = self.left()
        self.power = next(filter(None, map(power_of, children(self.pid))))
        self.given = re.sub(r"leader.*", "", self.events.find(r" start .*")[0][0])
        self.load.go()
        return self

    def is_public(self, name):
        """Is it the name of a socket that visitors come to?"""
        return name == self.address or isinstance(name, str) and name.startswith(str(self.address))

    def left(self):
        """What a roll must leave as it was: descriptors, and names in run_dir."""
        names = Counter(re.sub(r"\d+", "N", str(path.relative_to(self.run_dir))) for path in self.run_dir.rglob("*"))
        return descriptors(self.pid) + names

    def background(self, *command):
        """A command that runs on."""
        return subprocess.Popen([str(binary()), *command], env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def until_calm(self):
        """Two masters that serve, and no child but them and who is always there."""
        self.until("two masters are left", self.calm, timeout=LONG)

    def calm(self):
        """Nothing is under way. Where a release is watched, somebody reads the log of its masters."""
        wanted = 2 if self.environment.get("TWINIT_APP_LINGER", "0s") == "0s" else 3
        app = self.app()
        return len(children(self.pid)) == wanted and app["ready"] == 2 and app["roll"] == "idle"

    def turns(self):
        """How often PID 1 wakes up for one question."""
        self.faults.record()
        self.status()
        return sum(count for (who, call, _), count in self.faults.recorded().items()
                   if (who, call) == ("pid1", "epoll_wait"))

    def lives(self):
        """PID 1 has not ended."""
        return self.process.poll() is None

    def weaker(self):
        """What PHP has that it should not, in the masters of now; stub-fpm says what it was started with."""
        found = []
        for pid in children(self.pid):
            power = power_of(pid)
            if power and power != self.power:
                found.append("a master is weaker confined: %s" % sorted(power.items() - self.power.items()))
        for start in self.events.find(r" start .*")[self.starts:]:
            self.starts += 1
            if (given := re.sub(r"leader.*", "", start[0])) != self.given:
                found.append("a master was started with %s, not %s" % (given, self.given))
        return found

    def misremembered(self, before):
        """What the record of rolls says wrongly after one more that worked."""
        app = self.app()
        now, steps = app["rolls_by_outcome"], sum(app["last_roll_steps_ms"].values())
        found = []
        if sum(now.values()) != app["rolls"] or now["done"] != before["done"] + 1:
            found.append("a roll is not remembered: %s, %d in all, before it %s" % (now, app["rolls"], before))
        if not -STEPS_MS <= app["last_roll_ms"] - steps <= STEPS_MS:
            found.append("steps of %d ms in a roll of %d ms" % (steps, app["last_roll_ms"]))
        return found

    def complaints(self, call="", cut=False):
        """What does not hold, after that call failed: the next roll works and leaves what was there before.

        A name that could not be removed stays; whom SIGQUIT does not reach is ended less gently, and so is a
        master with visitors that was found dead (`cut`).
        """
        if not self.lives():
            return ["PID 1 ended with %d" % self.process.returncode]
        found = self.weaker()
        before = self.app()
        code, text = self.tell("restart", timeout=LONG)
        if code != 0:
            found.append("the next roll ended with %d: %s" % (code, text.strip()))
        try:
            self.until_calm()
            # Whose answer could not be sent may be rolling still, and then that one counts, too.
            if code == 0 and before["roll"] == "idle":
                found += self.misremembered(before["rolls_by_outcome"])
            if call in ("unlink", "unlinkat"):
                self.before = self.left()
            self.until("nothing is left over", lambda: self.left() == self.before, timeout=5)
        except TookTooLong:
            found.append("left over: %s; gone: %s; children %d" % (
                dict(self.left() - self.before), dict(self.before - self.left()), len(children(self.pid))))
            self.before = self.left()
        if (turns := self.turns()) > TURNS_MAX:
            found.append("PID 1 turned %d times while nothing happened" % turns)
        lost = self.load.take_lost()
        if lost and call != "kill" and not cut:
            found.append("%d requests lost: %s" % (len(lost), lost[0]))
        return found
