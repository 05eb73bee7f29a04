"""What PID 1 costs, and how well it does what every init does: against tini, dumb-init, catatonit, s6 and supervisord.

Each is PID 1 of a PID namespace of its own, as in a container.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import stack
from common import BenchError, fpm_program, interleave, require
from peers import PATIENCE, SUPERVISORD
from serving import FPM_CONFIG, POOL, TWINIT

NONE = "no init"
ORPHANS = 10000


class Init:
    """A program that can be PID 1 with a command below it."""

    def __init__(self, *words):
        self.words = words
        self.programs = words[:1]

    def argv(self, command):
        """argv of PID 1 with this command below it."""
        return [*self.words, *command]

    def supervisors(self, pid1):
        """Pids of all that it needs to look after one command."""
        return [pid1]


class S6(Init):
    """s6-svscan with the command as a service; it passes USR1 on by the handler that its users write."""

    def __init__(self, bench):
        super().__init__("s6-svscan")
        self.programs = ("s6-svscan", "s6-supervise")
        self.folder = bench.folder

    def argv(self, command):
        folder = Path(tempfile.mkdtemp(prefix="s6-", dir=self.folder))
        for name, line in (("command/run", shlex.join(map(str, command))),
                           (".s6-svscan/SIGUSR1", "s6-svc -1 command")):
            script = folder / name
            script.parent.mkdir()
            script.write_text("#!/bin/sh\nexec %s\n" % line)
            script.chmod(0o755)
        return [*self.words, folder]

    def supervisors(self, pid1):
        return [pid1, *stack.children(pid1)]


class Supervisord(Init):
    """supervisord as in peers.py: only in a Stack, whose folders it needs."""

    def __init__(self, bench):
        super().__init__("supervisord")
        self.config = bench.folder / "supervisord.conf"

    def argv(self, command):
        self.config.write_text(SUPERVISORD % (shlex.join(command), PATIENCE))
        return [*self.words, "-c", self.config]


def installed(known):
    """{name: Init} of those that are installed; the others are left out, and that is said."""
    found = {name: init for name, init in known.items()
             if all(shutil.which(str(program), path=stack.PATH) for program in init.programs)}
    for name in known.keys() - found.keys():
        print("bench: %s is not installed, left out; `tools/deps --bench` installs it" % name)
    return found


def inits(bench):
    """{name: Init} of those whose command has the pipes of PID 1."""
    return installed({"twinit --": Init(bench.twinit, "--"), "tini-static": Init("tini-static", "--"),
                      "dumb-init": Init("dumb-init", "--"), "catatonit": Init("catatonit", "--"), "s6": S6(bench)})


def supervisors(bench):
    """{name: Init} of all that can have php-fpm below it."""
    return {**inits(bench), **installed({"supervisord": Supervisord(bench)})}


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
    """"static" or "dynamic": whether it needs a loader; "script" when it is no binary."""
    if path.read_bytes()[:2] == b"#!":
        return "script"
    done = subprocess.run(["readelf", "-lW", str(path)], stdout=subprocess.PIPE, text=True)
    return "dynamic" if "INTERP" in done.stdout else "static"


def stripped_size(bench, path):
    """KB of a binary without symbols."""
    target = bench.folder / "stripped"
    if subprocess.run(["strip", "-o", str(target), str(path)]).returncode != 0:
        raise BenchError("strip failed; `tools/deps --bench` installs binutils")
    return target.stat().st_size / 1000


def add_binary(bench, table, row, programs):
    """The size of its programs; that of a script says nothing."""
    paths = [Path(shutil.which(str(program), path=stack.PATH)) for program in programs]
    kinds = " + ".join(dict.fromkeys(map(linked, paths)))
    table.add(row, "linked", kinds)
    table.add(row, "binary, KB", "python" if kinds == "script" else sum(stripped_size(bench, path) for path in paths))


def memory(*pids):
    """{column: KB} of smaps_rollup, added up; only the resident size where the kernel refuses that file."""
    try:
        text = "".join(Path("/proc/%d/smaps_rollup" % pid).read_text() for pid in pids)
    except PermissionError:
        pages = sum(int(Path("/proc/%d/statm" % pid).read_text().split()[1]) for pid in pids)
        return {"resident, KB": pages * os.sysconf("SC_PAGE_SIZE") / 1024}
    return {column: float(sum(map(int, re.findall(r"^%s:\s*(\d+) kB" % field, text, re.M))))
            for column, field in (("resident, KB", "Rss"), ("anonymous, KB", "Anonymous"))}


def above_fpm(bench, init):
    """A site of one php-fpm with this init above it."""
    return bench.site(pool=POOL, command=init.argv([fpm_program(), "-F", "-y", FPM_CONFIG]))


def cost(bench):
    """Size of the binary, and memory of the supervisor."""
    require("strip", "readelf")
    table = bench.table("cost", "binaries stripped (KB of 1000 bytes); memory of the supervisor's own processes from "
                        "smaps_rollup (KB of 1024 bytes), php-fpm below it",
                        ["binary, KB", "linked", "resident, KB", "anonymous, KB"])
    add_binary(bench, table, TWINIT, [bench.twinit])
    for row, values in zip((TWINIT, "twinit, after 20 rolls"), app_memory(bench)):
        table.add_all(row, values)
    for name, init in supervisors(bench).items():
        add_binary(bench, table, name, init.programs)
        with above_fpm(bench, init) as site:
            table.add_all(name, memory(*init.supervisors(site.task.pid)))
    table.remark("resident: with the code that is mapped, its libraries' too; anonymous: what belongs to the process alone")
    table.remark("dynamic: the libraries are not in the size of the binary; s6: s6-svscan and s6-supervise together")
    bench.publish(table)


def app_memory(bench):
    """Memory of twinit's PID 1 with its masters: ({column: KB} once it serves, the same after 20 rolls)."""
    with bench.site(pool=POOL) as site:
        before = memory(site.task.pid)
        for turn in range(20):
            site.current(2 - turn % 2)
            site.task.restart()
        return before, memory(site.task.pid)


def switches(pids):
    """How often processes have gone to sleep by themselves."""
    text = "".join(Path("/proc/%d/status" % pid).read_text() for pid in pids)
    return sum(map(int, re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.M)))


def idle(bench):
    """Wake-ups of the supervisor while nothing happens."""
    seconds = 20
    with contextlib.ExitStack() as cleanup:
        pids = {}
        for name, env in ((TWINIT, {"TWINIT_SESSIONS_EVERY": "10s"}),
                          ("twinit, verify = off", {"TWINIT_SESSIONS_VERIFY": "off"})):
            pids[name] = [cleanup.enter_context(bench.site(pool=POOL, env=env)).task.pid]
        for name, init in supervisors(bench).items():
            pids[name] = init.supervisors(cleanup.enter_context(above_fpm(bench, init)).task.pid)
        time.sleep(2)  # what belongs to the start is over
        before = {name: switches(found) for name, found in pids.items()}
        time.sleep(seconds)
        after = {name: switches(found) for name, found in pids.items()}
    column = "wake-ups in %d s" % seconds
    table = bench.table("idle", "supervisors with php-fpm below them, no request, no signal; twinit has two masters and "
                        "has the sessions looked at every 10 s", [column])
    for name in pids:
        table.add(name, column, after[name] - before[name])
    table.remark("of twinit it is PID 1: each look at the sessions is a short process of its own besides")
    bench.publish(table)


# What an init does.

def reap_each(bench, init):
    """Orphans per second when they are forked one after another, and each exits at once."""
    with Container(init.argv([bench.helper, "orphans", ORPHANS])) as container:
        container.expect("forking")
        begin, end = map(int, container.expect("gone").split())
        return ORPHANS / ((end - begin) / 1e9)


def reap_heap(bench, init):
    """Zombies per second when all are there already: PID 1 is stopped until then."""
    with Container(init.argv([bench.helper, "zombies", ORPHANS])) as container:
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


def latencies(bench, init, count):
    """µs from kill() of PID 1 to the moment at which the command had the signal."""
    found = []
    with Container(init.argv([bench.helper, "signals"])) as container:
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
    known = {**inits(bench), NONE: Init()}
    found = interleave("signals", rounds, known, lambda name: latencies(bench, known[name], each))
    table = bench.table("signals", "µs from kill(PID 1, USR1) until the command has it, %d signals each in %d rounds; "
                        "\"%s\": the command itself is PID 1" % (rounds * each, rounds, NONE), list(known),
                        ratio=("twinit --", "tini-static"))
    table.remark("s6: PID 1 starts its handler, which is `s6-svc -1`; that asks s6-supervise for the signal")
    flat = {name: [value for one in results for value in one] for name, results in found.items()}
    table.add_all("all signals", flat, compare=False)
    table.add_all("median of each round", {name: [statistics.median(one) for one in results]
                                           for name, results in found.items()})
    bench.publish(table)
