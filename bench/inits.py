"""What PID 1 costs, and how well it does what every init does: against tini, dumb-init and catatonit.

Each is PID 1 of a PID namespace of its own, as in a container.
"""

import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

import stack
from common import BenchError, interleave, require
from serving import POOL

NONE = "no init"
ORPHANS = 10000


def inits(bench):
    """{name: argv before the command}; those that are not installed are left out, and that is said."""
    known = {"twinit --": [bench.twinit, "--"], "tini-static": ["tini-static", "--"],
             "dumb-init": ["dumb-init", "--"], "catatonit": ["catatonit", "--"]}
    found = {name: argv for name, argv in known.items() if shutil.which(str(argv[0]), path=stack.PATH)}
    for name in known.keys() - found.keys():
        print("bench: %s is not installed, left out; `tools/deps --bench` installs it" % name)
    return found


class Container:
    """A command below an init (or alone) in a PID namespace; its stdin and stdout are pipes."""

    def __init__(self, argv):
        unshare = ["unshare", "--pid", "--mount", "--uts", "--fork", "--kill-child", "--mount-proc"]
        self._popen = subprocess.Popen([*unshare, *map(str, argv)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True, env={"PATH": stack.PATH}, cwd="/")
        self.pid = stack.wait_for("unshare", self._pid1, 10)

    def _pid1(self):
        """Only once it is no longer unshare itself."""
        return next((pid for pid in stack.children(self._popen.pid)
                     if stack.title(pid) and not stack.title(pid).startswith("unshare")), None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._popen.kill()
        self._popen.communicate()

    def expect(self, word):
        """The rest of the next line, which must begin with this word."""
        line = self._popen.stdout.readline()
        if not line.startswith(word):
            raise BenchError("%s: said %r instead of %r" % (stack.title(self.pid), line, word))
        return line[len(word):]

    def say(self):
        """Tells the command to go on."""
        self._popen.stdin.write("\n")
        self._popen.stdin.flush()


# Cost.

def linked(path):
    """"static" or "dynamic": whether it needs a loader."""
    done = subprocess.run(["readelf", "-lW", str(path)], stdout=subprocess.PIPE, text=True)
    return "dynamic" if "INTERP" in done.stdout else "static"


def stripped_size(bench, path):
    """KB of a binary without symbols."""
    target = bench.folder / "stripped"
    if subprocess.run(["strip", "-o", str(target), str(path)]).returncode != 0:
        raise BenchError("strip failed; `tools/deps --bench` installs binutils")
    return target.stat().st_size / 1000


def memory(pid):
    """{row: KB} of smaps_rollup; only the resident size where the kernel refuses that file."""
    try:
        text = Path("/proc/%d/smaps_rollup" % pid).read_text()
    except PermissionError:
        pages = int(Path("/proc/%d/statm" % pid).read_text().split()[1])
        return {"resident, KB": pages * os.sysconf("SC_PAGE_SIZE") / 1024}
    values = {name: float(re.search(r"^%s:\s*(\d+) kB" % name, text, re.M)[1])
              for name in ("Rss", "Anonymous")}
    return {"resident, KB": values["Rss"], "anonymous, KB": values["Anonymous"]}


def cost(bench):
    """Size of the binary, and memory of PID 1."""
    require("strip", "readelf")
    rolled, serving, plain = "twinit, after 20 rolls", "twinit, 2 masters", inits(bench)
    table = bench.table("cost", "binary stripped (KB of 1000 bytes); memory of PID 1 from smaps_rollup (KB of 1024 "
                        "bytes), the inits with `sleep` below them", [serving, rolled, *plain])
    for name, argv in plain.items():
        path = shutil.which(str(argv[0]), path=stack.PATH)
        table.add("binary, KB", name, stripped_size(bench, path))
        table.add("linked", name, linked(path))
        with Container([*argv, "sleep", "600"]) as container:
            time.sleep(0.5)
            for row, value in memory(container.pid).items():
                table.add(row, name, value)
    for row, values in app_memory(bench).items():
        table.add_all(row, dict(zip((serving, rolled), values)))
    table.add_all("binary, KB", {serving: table.rows["binary, KB"]["twinit --"]})
    bench.publish(table)


def app_memory(bench):
    """{row: (KB once it serves, KB after 20 rolls)} of twinit with its masters."""
    with bench.site(pool=POOL) as site:
        time.sleep(1)
        before = memory(site.task.pid)
        for turn in range(20):
            site.current(2 - turn % 2)
            site.task.restart()
        after = memory(site.task.pid)
    return {row: (before[row], after[row]) for row in before}


def switches(pid):
    """How often a process has gone to sleep by itself."""
    text = Path("/proc/%d/status" % pid).read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.M)[1])


def idle(bench):
    """Wake-ups of PID 1 while nothing happens."""
    seconds = 20
    with contextlib.ExitStack() as cleanup:
        pids = {}
        for name, env in (("twinit, sessions every = 10s", {"TWINIT_SESSIONS_EVERY": "10s"}),
                          ("twinit, verify = off", {"TWINIT_SESSIONS_VERIFY": "off"})):
            pids[name] = cleanup.enter_context(bench.site(pool=POOL, env=env)).task.pid
        for name, argv in inits(bench).items():
            pids[name] = cleanup.enter_context(Container([*argv, "sleep", "600"])).pid
        time.sleep(2)  # what belongs to the start is over
        before, begin = {name: switches(pid) for name, pid in pids.items()}, time.monotonic()
        time.sleep(seconds)
        after, took = {name: switches(pid) for name, pid in pids.items()}, time.monotonic() - begin
    table = bench.table("idle", "%d s without a request or signal" % seconds, list(pids))
    table.add_all("wake-ups", {name: after[name] - before[name] for name in pids})
    table.add_all("wake-ups per second", {name: (after[name] - before[name]) / took for name in pids})
    bench.publish(table)


# What an init does.

def reap_each(bench, argv):
    """Orphans per second when they are forked one after another, and each exits at once."""
    with Container([*argv, bench.helper, "orphans", ORPHANS]) as container:
        container.expect("forking")
        begin, end = map(int, container.expect("gone").split())
        return ORPHANS / ((end - begin) / 1e9)


def reap_heap(bench, argv):
    """Zombies per second when all are there already: PID 1 is stopped until then."""
    with Container([*argv, bench.helper, "zombies", ORPHANS]) as container:
        container.expect("held")
        os.kill(container.pid, signal.SIGSTOP)
        container.say()
        container.expect("dead")
        begin = time.monotonic_ns()
        os.kill(container.pid, signal.SIGCONT)
        return ORPHANS / ((int(container.expect("gone")) - begin) / 1e9)


def reaping(bench):
    """Orphans reaped per second."""
    rounds, known = bench.count(5, 3), inits(bench)
    each = interleave("reaping", rounds, known, lambda name: reap_each(bench, known[name]))
    heap = interleave("reaping", rounds, known, lambda name: reap_heap(bench, known[name]))
    table = bench.table("reaping", "orphans per second, %d rounds of %d" % (rounds, ORPHANS), list(known),
                        ratio=("twinit --", "tini-static"))
    table.add_all("forked twice, one after another", each)
    table.add_all("all dead before PID 1 looks", heap)
    table.remark("the first row is mostly the time of 20000 forks; the second is PID 1's own and the kernel's")
    bench.publish(table)


def latencies(bench, argv, count):
    """µs from kill() of PID 1 to the moment at which the command had the signal."""
    found = []
    with Container([*argv, bench.helper, "signals"]) as container:
        container.expect("ready")
        time.sleep(0.2)
        for _ in range(count):
            begin = time.monotonic_ns()
            os.kill(container.pid, signal.SIGUSR1)
            found.append((int(container.expect("")) - begin) / 1000)
            time.sleep(0.003)
    return found


def signals(bench):
    """How long a signal takes through PID 1."""
    rounds, each = 5, 40
    known = {**inits(bench), NONE: []}
    found = interleave("signals", rounds, known, lambda name: latencies(bench, known[name], each))
    table = bench.table("signals", "µs from kill(PID 1, USR1) until the command has it, %d signals each in %d rounds; "
                        "\"%s\": the command itself is PID 1" % (rounds * each, rounds, NONE), list(known),
                        ratio=("twinit --", "tini-static"))
    flat = {name: [value for one in results for value in one] for name, results in found.items()}
    table.add_all("all signals", flat, compare=False)
    table.add_all("median of each round", {name: [statistics.median(one) for one in results]
                                           for name, results in found.items()})
    bench.publish(table)
