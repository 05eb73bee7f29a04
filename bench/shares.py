"""Who spends the time of a roll: a profile of everything below PID 1, by kind of process, and by the clock on the wall."""

import bisect
import functools
import re
import signal
import subprocess
import time
from collections import Counter, namedtuple

import stack
from common import BenchError, progress, require
from peers import WORKERS, Twinit

RATE = 2500  # samples a second and processor
FORK = re.compile(r"\s([\d.]+): PERF_RECORD_FORK\((\d+):\d+\):\((\d+):\d+\)")
EXEC = re.compile(r"\s([\d.]+): PERF_RECORD_COMM exec: \S+:(\d+)/")
SAMPLE = re.compile(r"\s*(\d+)\s+([\d.]+):.*cpu-clock")
FPMS = {"master": "FPM's new masters", "worker": "FPM's new workers", "question": "php-fpm -i and -tt"}
OTHERS = {"old": "FPM's old masters and workers", "helper": "twinit's helpers", "PID 1": "PID 1"}
OF_FPM = (*FPMS.values(), OTHERS["old"])
KINDS = (*OF_FPM, "on the way to php-fpm", OTHERS["helper"], OTHERS["PID 1"], "the command")
ON_PROCESSOR = ("FPM", "only twinit", "neither", "all of twinit")
SPANS = ("until the new release serves, ms", "until the end of the roll, ms")

# Times (time.monotonic()) of a roll, and the pid of the command that asked for it.
Roll = namedtuple("Roll", "command begin serves end")
Born = namedtuple("Born", "when parent")


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

    samples: (time, pid). born: {pid: Born}. executed: {pid: when it first executed a program}.
    """

    def __init__(self, file):
        self.born, self.executed, self.samples = {}, {}, []
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
            if fork[2] != fork[3]:  # not a thread
                self.born[int(fork[2])] = Born(float(fork[1]), int(fork[3]))
        elif executed := EXEC.search(line):
            self.executed.setdefault(int(executed[2]), float(executed[1]))
        elif sample := SAMPLE.match(line):
            self.samples.append((float(sample[2]), int(sample[1])))


def origin_of(pid, profile, pid1, old):
    """What a process was made for: PID 1, old (it was there before), helper or one of FPMS; None where it is not below PID 1."""
    if pid == pid1:
        return "PID 1"
    if pid in old:
        return "old"
    if pid not in profile.born:
        return None
    parent = origin_of(profile.born[pid].parent, profile, pid1, old)
    if parent == "PID 1":
        return "master" if pid in profile.executed else "helper"
    if parent == "helper" and pid in profile.executed:
        return "question"
    return "worker" if parent == "master" else parent


class Kinds:
    """Which of KINDS a process is, at a time; None for those that are none."""

    def __init__(self, profile, rolls, pid1, old):
        self._profile = profile
        self._begins = [roll.begin for roll in rolls]
        self._commands = {roll.command for roll in rolls}
        self._origin = functools.cache(lambda pid: origin_of(pid, profile, pid1, old))

    def of(self, when, pid):
        """Until it executes php-fpm a process runs twinit's code; from the next roll on a master is an old one."""
        origin = self._origin(pid)
        if pid in self._commands:
            return "the command"
        if origin not in FPMS:
            return OTHERS.get(origin)
        if when < self._profile.executed.get(pid, 0):
            return "on the way to php-fpm"
        if origin == "question":
            return FPMS[origin]
        master = pid if origin == "master" else self._profile.born[pid].parent
        roll = bisect.bisect(self._begins, when)
        is_old = roll > 0 and self._profile.born[master].when < self._begins[roll - 1]
        return OTHERS["old"] if is_old else FPMS[origin]


def split(owned, begin, end):
    """ms between two times by ON_PROCESSOR, whose first three are all the time between, from (time, is FPM's) of samples."""
    seen = {True: set(), False: set()}
    for when, of_fpm in owned:
        if begin <= when < end:
            seen[of_fpm].add(int((when - begin) * RATE))
    fpm, only, at_all = (len(ticks) * 1000 / RATE for ticks in (seen[True], seen[False] - seen[True], seen[False]))
    return dict(zip(ON_PROCESSOR, (fpm, only, (end - begin) * 1000 - fpm - only, at_all)))


def profiled(bench, count):
    """(rolls, (time, pid, which of KINDS) of samples) of so many rolls without load."""
    with Watched(bench) as peer:
        peer.update()
        pid1, old = peer.site.task.pid, set(peer.site.task.descendants())
        with Profile(bench.folder / "perf.data") as profile:
            for turn in range(count):
                progress("shares: roll %d of %d" % (turn + 1, count))
                peer.update()
                time.sleep(0.3)  # what has ended is gone
    progress("")
    rolls = peer.rolls[1:]
    kinds = Kinds(profile, rolls, pid1, old)
    return rolls, [(when, pid, kind) for when, pid in profile.samples if (kind := kinds.of(when, pid))]


def shares(bench):
    """Time of a roll from a profile (perf): the processors' by kind of process, and that on the wall by whose turn it was."""
    require("perf")
    rolls, seen = profiled(bench, bench.count(20, 5))
    bench.publish(shares_table(bench, seen, len(rolls)))
    bench.publish(critical_table(bench, seen, rolls))


def shares_table(bench, seen, rolls):
    """Processor time by kind of process."""
    spent = {kind: count * 1000 / RATE / rolls for kind, count in Counter(kind for *_, kind in seen).items()}
    processes = Counter(kind for _, kind in {(pid, kind) for _, pid, kind in seen})
    whole = sum(spent.values())
    table = bench.table("shares", "%d rolls without load, %d workers in all; all processors sampled %d times a second, which "
                        "costs some of what it measures" % (rolls, WORKERS, RATE),
                        ["CPU time, ms a roll", "share, %", "processes a roll"])
    for kind in KINDS:
        table.add_all(kind, {"CPU time, ms a roll": [spent.get(kind, 0)], "share, %": [100 * spent.get(kind, 0) / whole],
                             "processes a roll": [processes[kind] / rolls]})
    table.add("all", "CPU time, ms a roll", [whole])
    return table


def critical_table(bench, seen, rolls):
    """Time on the wall by who is on a processor."""
    owned = [(when, kind in OF_FPM) for when, _, kind in seen]
    table = bench.table("critical", "time on the wall of the same %d rolls, by who is on any processor: a process of FPM, else "
                        "one of twinit's own, else neither; ticks of %g ms" % (len(rolls), 1000 / RATE), SPANS)
    for span, ends in zip(SPANS, ("serves", "end")):
        parts = [split(owned, roll.begin, getattr(roll, ends)) for roll in rolls]
        for who in ON_PROCESSOR:
            table.add(who, span, [part[who] for part in parts])
        table.add("all", span, [(getattr(roll, ends) - roll.begin) * 1000 for roll in rolls])
    table.remark("only twinit: nobody else could be waited for; the most that it can have added: its last row, and neither, "
                 "which has the session store's own time, too")
    return table
