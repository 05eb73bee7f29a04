"""Many requests and many rolls, every answer checked."""

import os
import threading
import time

import stack
from common import BenchError, Wrk, progress, total
from inits import memory
from peers import WORKERS, Twinit

ROLL_EVERY = 1.0
PIECE_S = 60
REPLICAS = 2  # the default


class Rolls(threading.Thread):
    """Rolls at a steady pace until stop(); each must have been done."""

    def __init__(self, peer):
        super().__init__(daemon=True)
        self.took, self.error = [], None
        self._peer, self._over = peer, threading.Event()

    def run(self):
        """A roll that takes longer than the pace is followed by the next at once."""
        next_one = time.monotonic()
        while not self._over.wait(max(0.0, next_one - time.monotonic())):
            begin = time.monotonic()
            try:
                self._peer.update()
            except Exception as error:  # whatever it is: told by stop()
                self.error = error
                return
            self.took.append((time.monotonic() - begin) * 1000)
            next_one = max(next_one + ROLL_EVERY, time.monotonic())

    def stop(self):
        """Ends after the roll that is under way."""
        self._over.set()
        self.join()
        if self.error:
            raise BenchError("after %d rolls: %s" % (len(self.took), self.error))


def descriptors(pid):
    """How many files PID 1 has open."""
    return len(os.listdir("/proc/%d/fd" % pid))


def at_rest(pid):
    """PID 1's figures when it has no child but its masters: no helper runs."""
    stack.wait_for("no helper runs", lambda: len(stack.children(pid)) == REPLICAS, 10)
    return {**memory(pid), "descriptors": descriptors(pid)}


def million(bench):
    """Ten million POSTs and a thousand rolls, one a second: how many fail?"""
    wanted, wanted_rolls = bench.count(10_000_000, 40_000), bench.count(1000, 5)
    pieces, requests = [], 0
    with Twinit(bench) as peer:
        pid = peer.site.task.pid
        peer.update()
        before = at_rest(pid)
        rolls, begin = Rolls(peer), time.monotonic()
        rolls.start()
        while (requests < wanted or len(rolls.took) < wanted_rolls) and not rolls.error:
            with Wrk(peer.url(), 2 * WORKERS, bench.count(PIECE_S, 5), "mix.lua", (0,)) as load:
                pieces.append(load.wait())
            if not pieces[-1]["requests"]:
                raise BenchError("nothing is answered: %s" % total([pieces[-1]["failures"]]))
            requests += pieces[-1]["requests"]
            progress("million: %d of %d requests, %d rolls, failed: %s"
                     % (requests, wanted, len(rolls.took), total([one["failures"] for one in pieces])))
        rolls.stop()
        minutes = (time.monotonic() - begin) / 60
        after = at_rest(pid)
    progress("")
    table = bench.table("million", "twinit; POSTs over %d connections without a pause, each answer's checksum looked at; a roll "
                        "every %g s; pieces of %d s; PID 1 before and after"
                        % (2 * WORKERS, ROLL_EVERY, bench.count(PIECE_S, 5)), ["seen"])
    table.add("requests", "seen", "%d" % requests)
    table.add("failed", "seen", total([one["failures"] for one in pieces]))
    table.add("rolls done", "seen", "%d" % len(rolls.took))
    table.add("minutes", "seen", "%.1f" % minutes)
    table.add("roll, ms", "seen", rolls.took)
    for row, key in (("requests/s", "rate"), ("p50, ms", "p50"), ("p99, ms", "p99"), ("p99.9, ms", "p999"),
                     ("longest, ms", "longest")):
        table.add(row, "seen", [one[key] for one in pieces])
    for row, value in before.items():
        table.add("PID 1: %s" % row, "seen", "%g, then %g" % (value, after[row]))
    bench.publish(table)
