"""Who spends the processor time of a roll: a profile of everything below PID 1, by kind of process."""

import re
import signal
import subprocess
import time
from collections import Counter

import stack
from common import progress, require
from peers import WORKERS, Twinit

RATE = 2500  # samples a second and processor
FORK = re.compile(r"PERF_RECORD_FORK\((\d+):\d+\):\((\d+):\d+\)")
EXEC = re.compile(r"PERF_RECORD_COMM exec: \S+:(\d+)/")
SAMPLE = re.compile(r"\s*(\d+)\s.*cpu-clock")
KINDS = ("FPM's new masters", "FPM's new workers", "FPM's old masters and workers", "php-fpm -i and -tt", "twinit's helpers",
         "PID 1")


class Profile:
    """`with Profile(FILE): ...` samples all processors; afterwards it has who was seen how often, and whose child each is."""

    def __init__(self, file):
        self.parents, self.executed, self.samples = {}, set(), Counter()
        self._file = file

    def __enter__(self):
        self._perf = subprocess.Popen(["perf", "record", "-a", "-e", "cpu-clock", "-F", str(RATE), "-o", self._file],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": stack.PATH})
        stack.wait_for("perf samples", lambda: self._file.exists() and self._file.stat().st_size, 10)
        return self

    def __exit__(self, *_):
        self._perf.send_signal(signal.SIGINT)
        self._perf.wait()
        done = subprocess.run(["perf", "script", "-i", self._file, "--show-task-events", "-F", "pid,time,event"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={"PATH": stack.PATH})
        for line in done.stdout.splitlines():
            self._take(line)

    def _take(self, line):
        if fork := FORK.search(line):
            if fork[1] != fork[2]:  # not a thread
                self.parents[int(fork[1])] = int(fork[2])
        elif executed := EXEC.search(line):
            self.executed.add(int(executed[1]))
        elif sample := SAMPLE.match(line):
            self.samples[int(sample[1])] += 1


def kind_of(pid, profile, pid1, old):
    """Which of KINDS a process is; None for those that are not below PID 1."""
    if pid == pid1:
        return "PID 1"
    if pid in old:
        return "FPM's old masters and workers"
    if pid not in profile.parents:
        return None
    parent = kind_of(profile.parents[pid], profile, pid1, old)
    if parent == "PID 1":
        return "FPM's new masters" if pid in profile.executed else "twinit's helpers"
    if parent == "twinit's helpers" and pid in profile.executed:
        return "php-fpm -i and -tt"
    return "FPM's new workers" if parent == "FPM's new masters" else parent


def shares(bench):
    """Processor time of a roll by kind of process, from a profile (perf)."""
    require("perf")
    rolls = bench.count(20, 5)
    with Twinit(bench) as peer:
        peer.update()
        pid1, old = peer.site.task.pid, set(peer.site.task.descendants())
        with Profile(bench.folder / "perf.data") as profile:
            for turn in range(rolls):
                progress("shares: roll %d of %d" % (turn + 1, rolls))
                peer.update()
                time.sleep(0.3)  # what has ended is gone
    progress("")
    spent, processes = Counter(), Counter()
    for pid, samples in profile.samples.items():
        kind = kind_of(pid, profile, pid1, old)
        spent[kind] += samples * 1000 / RATE / rolls
        processes[kind] += 1
    whole = sum(spent[kind] for kind in KINDS)
    table = bench.table("shares", "%d rolls without load, %d workers in all; all processors sampled %d times a second, which "
                        "costs some of what it measures" % (rolls, WORKERS, RATE),
                        ["CPU time, ms a roll", "share, %", "processes a roll"])
    for kind in KINDS:
        table.add_all(kind, {"CPU time, ms a roll": [spent[kind]], "share, %": [100 * spent[kind] / whole],
                             "processes a roll": [processes[kind] / rolls]})
    table.add("all", "CPU time, ms a roll", [whole])
    bench.publish(table)
