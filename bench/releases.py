"""What the first visitor of a new release waits, and what a roll takes of memory and time with each `surge`."""

import contextlib
import http.client
import statistics
import threading
import time
from pathlib import Path

import stack
from common import BenchError, Wrk, interleave, pick, ratio_interval, total
from serving import POOL, TWINIT, WORKERS, options_of, side_of

CLASSES = 300
STEADY = 40  # requests for the steady median
WARM, COLD = "with warm", "without"

CLASS = """\
<?php
class Part%(n)d
{
    private array $values = [%(n)d];

    public function work(int $by): int
    {
        for ($turn = 0; $turn < 5; $turn++) {
%(calls)s        }
        return $by;
    }
%(methods)s}
"""
CALL = """\
            $by = $this->step%d($by);
"""
METHOD = """\
    public function step%(m)d(int $by): int
    {
        $this->values[] = $by + %(m)d;
        return array_sum($this->values) %% 9973;
    }
"""
PAGE = """\
<?php
$sum = 0;
for ($n = 0; $n < %d; $n++) {
    require_once __DIR__ . "/../classes/Part$n.php";
    $name = "Part$n";
    $sum += (new $name())->work($n);
}
echo "sum $sum";
"""


def install_classes(site):
    """A page in both releases: 300 class files of 20 methods, all of which it calls, which takes some milliseconds."""
    calls = "".join(CALL % m for m in range(20))
    methods = "".join(METHOD % {"m": m} for m in range(20))
    for number in (1, 2):
        release = site.directory / "app" / "releases" / str(number)
        (release / "classes").mkdir()
        for n in range(CLASSES):
            (release / "classes" / ("Part%d.php" % n)).write_text(CLASS % {"n": n, "calls": calls, "methods": methods})
        (release / "public" / "classes.php").write_text(PAGE % CLASSES)


def ask_ms(connection):
    """ms of one request for the page, on a connection that is there."""
    begin = time.monotonic()
    connection.request("GET", "/classes.php")
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status != 200 or not text.startswith("sum "):
        raise BenchError("/classes.php answered %d: %.80r" % (answer.status, text))
    return (time.monotonic() - begin) * 1000


def one_first(side):
    """ms that the first visitor after a roll waited, and the median of later ones."""
    mark = side.roll()
    side.finished(mark)
    connection = http.client.HTTPConnection(stack.HOST, side.site.port, timeout=60)
    with contextlib.closing(connection):
        first = ask_ms(connection)
        for _ in range(STEADY):
            ask_ms(connection)  # every worker of every master has run it
        steady = statistics.median(ask_ms(connection) for _ in range(STEADY))
    return {"first": first, "steady": steady, "ratio": first / steady}


def first(bench):
    """What the first visitor after a roll waits, on a page of 300 class files, with and without `warm`."""
    rounds = bench.count(15, 5)
    env = {WARM: {"TWINIT_APP_WARM": "/classes.php"}, COLD: {}}
    with contextlib.ExitStack() as cleanup:
        sides = {}
        for name, more in env.items():
            options = options_of(TWINIT, env={"TWINIT_APP_QUIET": "0ms"}, autostart=False)
            options["env"].update(more)
            site = cleanup.enter_context(bench.site(**options))
            install_classes(site)
            site.start()
            sides[name] = side_of(TWINIT, site)
        found = interleave("first", rounds, sides, lambda name: one_first(sides[name]))
    table = bench.table("first", "ms, %d rolls each, no load; a page of %d class files; steady is the median of %d "
                        "requests" % (rounds, CLASSES, STEADY), [WARM, COLD], ratio=(WARM, COLD))
    table.add_all("first visitor", pick(found, "first"))
    table.add_all("steady", pick(found, "steady"))
    table.add_all("first / steady", pick(found, "ratio"))
    for name in (WARM, COLD):
        table.remark("%s: the first visitor waits %.2f times the steady median [%.2f–%.2f]"
                     % (name, *ratio_interval(pick(found, "first")[name], pick(found, "steady")[name])))
    bench.publish(table)


def memory_mb(task):
    """Memory of PID 1 and all below it; what several share is counted once."""
    sum_kb = 0
    for pid in (task.pid, *task.descendants()):
        with contextlib.suppress(OSError):  # it may be gone
            for line in Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines():
                if line.startswith("Pss:"):
                    sum_kb += int(line.split()[1])
    return sum_kb / 1024


class Peak:
    """The most memory that a task's tree had, while a `with` block ran; looked at about fifty times a second."""

    def __init__(self, task):
        self.most, self._task, self._over = 0, task, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._over.is_set():
            self.most = max(self.most, memory_mb(self._task))
            self._over.wait(0.02)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def one_surge(side):
    """Memory before and at its peak in a roll, and what those who ask meanwhile wait."""
    with Wrk(side.url, WORKERS, words=(5, "pong ")) as load:
        time.sleep(0.5)  # the load is steady
        before = memory_mb(side.site.task)
        begin = time.monotonic()
        with Peak(side.site.task) as peak:
            side.finished(side.roll())
            ms = (time.monotonic() - begin) * 1000
        found = load.stop()
    return {**found, "before": before, "peak": peak.most, "more": peak.most - before, "roll": ms}


def surge(bench):
    """Peak memory of the whole tree, and p99 of those who ask, during a roll, for each `surge`."""
    rounds, replicas = bench.count(10, 3), 2
    with contextlib.ExitStack() as cleanup:
        sides = {}
        for value in (replicas, 1, 0):
            env = {"TWINIT_APP_QUIET": "0ms", "TWINIT_APP_REPLICAS": str(replicas), "TWINIT_APP_SURGE": str(value)}
            site = cleanup.enter_context(bench.site(pool=POOL, env=env))
            sides["surge = %d" % value] = side_of(TWINIT, site)
            sides["surge = %d" % value].warm()
        found = interleave("surge", rounds, sides, lambda name: one_surge(sides[name]))
    table = bench.table("surge", "one roll of %d replicas under load, %d rounds; %d workers (static), %d connections "
                        "with pauses, /ping.php; memory of PID 1 and all below it" % (replicas, rounds, WORKERS, WORKERS),
                        list(sides))
    for row, key in (("memory before, MB", "before"), ("memory at its peak, MB", "peak"),
                     ("more during the roll, MB", "more"), ("the roll, ms", "roll"), ("p50, ms", "p50"),
                     ("p99, ms", "p99"), ("longest, ms", "longest")):
        table.add_all(row, pick(found, key))
    table.add_all("failures", {name: total(all_) for name, all_ in pick(found, "failures").items()})
    table.remark("p99 and longest: half a second of load before the roll, and the roll")
    bench.publish(table)
