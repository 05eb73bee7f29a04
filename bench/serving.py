"""Requests: throughput through twinit and through bare php-fpm, and what rolls and reloads do to those who wait.

Both sides are the sample stack of tools/stack.py: the same nginx, the same FPM files, the same number of workers.
"""

import contextlib
import signal
import statistics
import threading
import time
from pathlib import Path

from common import Wrk, fpm_program, interleave, pick, stack, total
from cpu_group import CpuGroup
from peers import install_app

WORKERS = 8  # in all; twinit splits them over its two masters
POOL = {"pm": "static", "pm.max_children": str(WORKERS)}
TWINIT, FPM = "twinit", "php-fpm"
FPM_CONFIG = "/srv/php-fpm/php-fpm.conf"
ROLL_EVERY = 2.0
SLOW_MS = 4000
NAP_MS = 300  # of visitors at full load
# What visitors do while a release follows another: the table's name, what it is, and wrk's options.
LOADS = (("rolls", "/ping.php over %d connections with pauses of 5 ms" % WORKERS,
          {"connections": WORKERS, "words": (5, "pong ")}),
         ("rolls at full load", "POSTs over %d connections without a pause, of which 3 in 40 burn 5 ms of CPU time and one naps "
          "%d ms, as in `lost`: here the naps are the p99" % (2 * WORKERS, NAP_MS),
          {"connections": 2 * WORKERS, "script": "mix.lua", "words": (NAP_MS,)}))


class Side:
    """A stack and how to make it take up another release."""

    def __init__(self, site, roll, done):
        self.site, self._roll, self._done = site, roll, done
        self.release = 1

    @property
    def url(self):
        """The shortest page."""
        return self.site.url("/ping.php")

    def roll(self):
        """Moves the symlink and asks for the other release; returns what finished() needs."""
        self.release = 3 - self.release
        self.site.current(self.release)
        mark = self.site.task.mark()
        self.site.task.send(self._roll)
        return mark

    def finished(self, mark, timeout=60):
        """Waits until that roll is over."""
        self.site.task.wait_line(self._done, mark, timeout)

    def workers(self):
        """Pids of the workers that serve visitors."""
        return [pid for pid in self.site.task.descendants() if stack.title(pid) == "php-fpm: pool www"]

    def warm(self, seconds=2):
        """Fills the caches of every worker."""
        with Wrk(self.url, 2 * WORKERS, seconds) as load:
            load.wait()


def cpu_us(pids):
    """CPU time of these processes until now."""
    return sum(int(Path("/proc/%d/schedstat" % pid).read_text().split()[0]) for pid in pids) / 1000


def options_of(name, **more):
    """Options of the Stack of a side."""
    if name == TWINIT:
        return {"pool": POOL, "env": {"TWINIT_APP_QUIET": "0ms"}, **more}
    return {"pool": POOL, "command": [fpm_program(), "-F", "-y", FPM_CONFIG],
            "fpm_global": {"process_control_timeout": "30s"}, **more}


def side_of(name, site):
    """The Side for a stack of options_of()."""
    if name == TWINIT:
        return Side(site, signal.SIGHUP, r"is active on|twinit: error")
    return Side(site, signal.SIGUSR2, r"ready to handle connections")


@contextlib.contextmanager
def cpu_group(task):
    """Puts a task into a CPU group; stops it at the end."""
    group = CpuGroup(task.name)
    try:
        group.add(task)
        yield
    finally:
        task.stop()
        group.remove()


@contextlib.contextmanager
def both(bench, **more):
    """{name: Side} of both stacks, running and warm, each with its PHP in a CPU group of its own as in a container."""
    with contextlib.ExitStack() as cleanup:
        sides = {}
        for name in (TWINIT, FPM):
            site = cleanup.enter_context(bench.site(**options_of(name, **more)))
            install_app(site, parts=0)
            sides[name] = side_of(name, site)
            sides[name].warm()
            cleanup.enter_context(cpu_group(sides[name].site.task))
        yield sides


def throughput(bench):
    """Requests/s, p50 and p99 through twinit and through bare php-fpm."""
    rounds, seconds, connections = bench.count(10, 3), bench.count(5, 3), 2 * WORKERS

    def measure(name):
        workers = sides[name].workers()
        before = cpu_us(workers)
        with Wrk(sides[name].url, connections, seconds) as load:
            found = load.wait()
        found["cpu"] = (cpu_us(workers) - before) / found["requests"]
        return found

    with both(bench) as sides:
        found = interleave("throughput", rounds, sides, measure)
    table = bench.table("throughput", "%d pairs of %d s, %d connections without a pause, %d workers (static), /ping.php"
                        % (rounds, seconds, connections, WORKERS), [TWINIT, FPM], ratio=(TWINIT, FPM))
    table.add_all("requests/s", pick(found, "rate"))
    table.add_all("p50, ms", pick(found, "p50"))
    table.add_all("p99, ms", pick(found, "p99"))
    table.add_all("longest, ms", pick(found, "longest"))
    table.add_all("CPU of the workers, µs per request", pick(found, "cpu"))
    table.add_all("failures", {name: total(all_) for name, all_ in pick(found, "failures").items()})
    table.remark("the CPU time depends less than the other rows on what else the machine does")
    bench.publish(table)


def load_with_rolls(side, seconds, rolls, options):
    """One of LOADS for some seconds, with a roll every ROLL_EVERY when wanted."""
    asked, done = 0, 0
    with Wrk(side.url, seconds=seconds, **options) as load:
        end = time.monotonic() + seconds - ROLL_EVERY / 2
        next_one, mark = time.monotonic() + ROLL_EVERY / 2, side.site.task.mark()
        while rolls and next_one < end:
            time.sleep(max(0, next_one - time.monotonic()))
            side.roll()
            asked, next_one = asked + 1, next_one + ROLL_EVERY
        found = load.wait()
    if rolls:
        side.finished(mark)
        time.sleep(0.5)
        done = sum("is active on" in line or "ready to handle" in line for line in side.site.task.since(mark)
                   if line.startswith("twinit:") or side.site.command[0] != side.site.TWINIT)
    found["rolls"] = "%d of %d" % (done, asked)
    return found


def rolls_under(bench, sides, name, what, options):
    """The table of one of LOADS."""
    rounds, seconds = bench.count(5, 3), bench.count(11, 7)
    variants = {"%s %s" % (side, kind): (side, kind != "steady") for side, kind in
                ((TWINIT, "rolls"), (FPM, "USR2"), (TWINIT, "steady"), (FPM, "steady"))}

    def measure(variant):
        side, rolling = variants[variant]
        return load_with_rolls(sides[side], seconds, rolling, options)

    for side in sides.values():
        load_with_rolls(side, 2, False, options)  # caches
    found = interleave(name, rounds, variants, measure)
    columns = list(variants)
    table = bench.table(name, "%d rounds of %d s for each column, one roll every %g s, %s; process_control_timeout=30s"
                        % (rounds, seconds, ROLL_EVERY, what), columns, ratio=(columns[0], columns[1]))
    for row, key in (("requests/s", "rate"), ("p50, ms", "p50"), ("p99, ms", "p99"), ("longest, ms", "longest")):
        table.add_all(row, pick(found, key))
    p99 = pick(found, "p99")
    table.add_all("p99, with rolls / steady", {rolling: [one / other for one, other in zip(p99[rolling], p99[steady])]
                                               for rolling, steady in zip(columns[:2], columns[2:])})
    table.add_all("failures", {name: total(all_) for name, all_ in pick(found, "failures").items()})
    for column in columns[:2]:
        table.remark("%s, finished rolls in each round: %s" % (column, ", ".join(pick(found, "rolls")[column])))
    bench.publish(table)


def rolls(bench):
    """p99 and longest wait, steady, during twinit's rolls and during FPM's own reloads: short requests, and a full load."""
    with both(bench) as sides:
        for name, what, options in LOADS:
            rolls_under(bench, sides, name, what, options)


class Slow(threading.Thread):
    """A request to /slow.php; `failure` is None, or how it failed."""

    def __init__(self, side):
        super().__init__(daemon=True)
        self.side, self.failure = side, None

    def run(self):
        """Asks once."""
        try:
            answer = self.side.site.get("/slow.php?ms=%d" % SLOW_MS)
            if answer.status != 200:
                self.failure = "slow request: HTTP %d" % answer.status
        except Exception as error:  # whatever it is, it is counted
            self.failure = "slow request: " + type(error).__name__


def load_with_slow(side, rolling):
    """Short requests while one roll meets a slow request in flight."""
    with Wrk(side.url, WORKERS // 2, words=(2, "pong ")) as load:
        time.sleep(0.5)
        slow = Slow(side)
        slow.start()
        time.sleep(0.3)
        begin = time.monotonic()
        if rolling:
            side.finished(side.roll())
        took = time.monotonic() - begin
        slow.join()
        time.sleep(0.5)
        found = load.stop()
    if slow.failure:
        found["failures"][slow.failure] = found["failures"].get(slow.failure, 0) + 1
    found["took"] = took * 1000
    return found


def inflight(bench):
    """Longest wait of a short request during one roll that meets a request of four seconds."""
    rounds = bench.count(5, 3)
    variants = {TWINIT: (TWINIT, True), FPM + " USR2": (FPM, True), "no roll": (TWINIT, False)}

    def measure(variant):
        name, rolling = variants[variant]
        return load_with_slow(sides[name], rolling)

    with both(bench) as sides:
        found = interleave("inflight", rounds, variants, measure)
    table = bench.table("inflight", "%d rounds; one roll while /slow.php?ms=%d runs, %d connections with 2 ms pauses, "
                        "process_control_timeout=30s" % (rounds, SLOW_MS, WORKERS // 2), list(variants),
                        ratio=(FPM + " USR2", TWINIT))
    table.add_all("longest wait, ms", pick(found, "longest"))
    table.add_all("p99, ms", pick(found, "p99"))
    medians = [statistics.median(pick(found, "longest")[name]) for name in (FPM + " USR2", TWINIT)]
    table.remark("longest wait, ratio of the two medians: %.0f" % (medians[0] / medians[1]))
    took = pick(found, "took")
    table.add_all("roll until done, ms", {column: took[column] for column in list(variants)[:2]})
    table.add_all("failures", {name: total(all_) for name, all_ in pick(found, "failures").items()})
    table.remark("\"no roll\": the same load and slow request without a roll, i.e. what this machine does anyway")
    bench.publish(table)
