"""Who spends the time of a roll: a profile of everything below PID 1, by kind of process, and by the clock on the wall."""

import re
import signal
import subprocess
import time
from collections import Counter, namedtuple

import stack
from common import BenchError, progress, require
from peers import WORKERS, Twinit

RATE = 2500  # samples a second and processor
FORK = re.compile(r"PERF_RECORD_FORK\((\d+):\d+\):\((\d+):\d+\)")
EXEC = re.compile(r"\s([\d.]+): PERF_RECORD_COMM exec: \S+:(\d+)/")
SAMPLE = re.compile(r"\s*(\d+)\s+([\d.]+):.*cpu-clock")
KINDS = ("FPM's new masters", "FPM's new workers", "FPM's old masters and workers", "php-fpm -i and -tt", "twinit's helpers",
         "PID 1")
OF_FPM = KINDS[:4]
ON_PROCESSOR = ("FPM", "only twinit", "neither")
SPANS = ("until the new release serves, ms", "until the end of the roll, ms")

# Times (time.monotonic()) of a roll, and the pid of the command that asked for it.
Roll = namedtuple("Roll", "command begin serves end")


class Watched(Twinit):
    """Notes of each update when it was asked for, when the new release served and when all was over."""

    def __init__(self, bench):
        super().__init__(bench)
        self.rolls = []

    def renew(self):
        begin, serves, said = time.monotonic(), None, ""
        env = {"TWINIT_RUN_DIR": str(self.site.task.run_dir)}
        with subprocess.Popen([str(self.bench.twinit), "restart"], env=env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as asking:
            for line in asking.stdout:
                if " cutover to " in line:
                    serves = time.monotonic()
                said += line
        if asking.returncode != 0 or serves is None:
            raise BenchError("twinit restart: exit status %d\n%s" % (asking.returncode, said))
        self.rolls.append(Roll(asking.pid, begin, serves, time.monotonic()))


class Profile:
    """`with Profile(FILE): ...` samples all processors; afterwards it has who was seen when, and whose child each is.

    samples: (time, pid). parents: {pid: its parent's}. executed: {pid: when it first executed a program}.
    """

    def __init__(self, file):
        self.parents, self.executed, self.samples = {}, {}, []
        self._file = file

    def __enter__(self):
        self._perf = subprocess.Popen(["perf", "record", "-a", "-e", "cpu-clock", "-F", str(RATE), "-k", "CLOCK_MONOTONIC",
                                       "-o", self._file],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": stack.PATH})
        stack.wait_for("perf samples", lambda: self._file.exists() and self._file.stat().st_size, 10)
        time.sleep(0.5)  # the file's head comes before the first sample
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
            self.executed.setdefault(int(executed[2]), float(executed[1]))
        elif sample := SAMPLE.match(line):
            self.samples.append((float(sample[2]), int(sample[1])))


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


def owner_of(when, pid, kind, profile, commands):
    """"FPM" or "twinit" of a sample, None of others; until it executes php-fpm a process runs twinit's code."""
    if pid in commands:
        return "twinit"
    if kind is None:
        return None
    return "FPM" if kind in OF_FPM and when >= profile.executed.get(pid, 0) else "twinit"


def split(owned, begin, end):
    """ms between two times by ON_PROCESSOR, from (time, owner) of samples; together they are all the time between."""
    seen = {"FPM": set(), "twinit": set()}
    for when, owner in owned:
        if begin <= when < end:
            seen[owner].add(int((when - begin) * RATE))
    fpm, only = (len(ticks) * 1000 / RATE for ticks in (seen["FPM"], seen["twinit"] - seen["FPM"]))
    return dict(zip(ON_PROCESSOR, (fpm, only, (end - begin) * 1000 - fpm - only)))


def profiled(bench, count):
    """(Profile, rolls, {pid: kind}) of so many rolls without load."""
    with Watched(bench) as peer:
        peer.update()
        pid1, old = peer.site.task.pid, set(peer.site.task.descendants())
        with Profile(bench.folder / "perf.data") as profile:
            for turn in range(count):
                progress("shares: roll %d of %d" % (turn + 1, count))
                peer.update()
                time.sleep(0.3)  # what has ended is gone
    progress("")
    return profile, peer.rolls[1:], {pid: kind_of(pid, profile, pid1, old) for _, pid in profile.samples}


def shares(bench):
    """Time of a roll from a profile (perf): the processors' by kind of process, and that on the wall by whose turn it was."""
    require("perf")
    profile, rolls, kinds = profiled(bench, bench.count(20, 5))
    bench.publish(shares_table(bench, profile, kinds, len(rolls)))
    bench.publish(critical_table(bench, profile, kinds, rolls))


def shares_table(bench, profile, kinds, rolls):
    """Processor time by kind of process."""
    spent, processes = Counter(), Counter(kinds.values())
    for _, pid in profile.samples:
        spent[kinds[pid]] += 1000 / RATE / rolls
    whole = sum(spent[kind] for kind in KINDS)
    table = bench.table("shares", "%d rolls without load, %d workers in all; all processors sampled %d times a second, which "
                        "costs some of what it measures" % (rolls, WORKERS, RATE),
                        ["CPU time, ms a roll", "share, %", "processes a roll"])
    for kind in KINDS:
        table.add_all(kind, {"CPU time, ms a roll": [spent[kind]], "share, %": [100 * spent[kind] / whole],
                             "processes a roll": [processes[kind] / rolls]})
    table.add("all", "CPU time, ms a roll", [whole])
    return table


def critical_table(bench, profile, kinds, rolls):
    """Time on the wall by who is on a processor."""
    commands = {roll.command for roll in rolls}
    owned = [(when, owner) for when, pid in profile.samples
             if (owner := owner_of(when, pid, kinds[pid], profile, commands))]
    table = bench.table("critical", "time on the wall of the same %d rolls, by who is on any processor: a process of FPM, else "
                        "one of twinit's own, else neither; ticks of %g ms" % (len(rolls), 1000 / RATE), SPANS)
    for span, ends in zip(SPANS, ("serves", "end")):
        parts = [split(owned, roll.begin, getattr(roll, ends)) for roll in rolls]
        for who in ON_PROCESSOR:
            table.add(who, span, [part[who] for part in parts])
        table.add("all", span, [sum(part.values()) for part in parts])
    table.remark("the most that twinit itself can add: only twinit, and neither")
    return table
