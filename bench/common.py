"""What all benchmarks share: rounds, figures with their spread, the tables, and what is known of the machine."""

import atexit
import json
import math
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
REPO = BENCH.parent
sys.path.insert(0, str(REPO / "tools"))
import stack  # noqa: E402 (found by the line above)

# 97.5 % points of Student's t for 1, 2, ... degrees of freedom; beyond the table the normal distribution's.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
           2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045]


class BenchError(Exception):
    """A figure cannot be measured; the text is for the person at the terminal."""


# Statistics.

def ratio_interval(ours, theirs):
    """(ratio, low, high): geometric mean of ours/theirs over pairs, and its 95 % t interval; None without pairs."""
    pairs = [math.log(a / b) for a, b in zip(ours, theirs) if a > 0 and b > 0]
    if not pairs:
        return None
    mean = statistics.fmean(pairs)
    if len(pairs) == 1:
        return math.exp(mean), 0.0, math.inf
    point = STUDENT[len(pairs) - 2] if len(pairs) - 2 < len(STUDENT) else 1.96
    half = point * statistics.stdev(pairs) / math.sqrt(len(pairs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def number(value):
    """Three significant digits, whole from 100 on; never in the notation with e."""
    if value == 0 or not math.isfinite(value):
        return "%g" % value
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return "%.*f" % (digits, value)


def spread(samples):
    """Median, with min–max when there are several."""
    middle = number(statistics.median(samples))
    return middle if len(samples) == 1 else "%s (%s–%s)" % (middle, number(min(samples)), number(max(samples)))


# Tables.

class Table:
    """Samples by row and column; shown as medians with min–max, and as ratios when two columns are compared."""

    def __init__(self, name, note, columns, ratio=None):
        self.name, self.note, self.columns, self.ratio = name, note, list(columns), ratio
        self.rows, self.remarks, self._alone = {}, [], set()

    def add(self, row, column, samples):
        """Samples (a list, or one figure) or a text for a cell."""
        samples = samples if isinstance(samples, (list, str)) else [samples]
        self.rows.setdefault(row, {})[column] = samples

    def add_all(self, row, samples, compare=True):
        """A row: {column: samples}; compare=False when samples of the same number do not belong together."""
        if not compare:
            self._alone.add(row)
        for column, values in samples.items():
            self.add(row, column, values)

    def remark(self, text):
        """A line below the table."""
        self.remarks.append(text)

    def _ratio(self, row):
        values = [self.rows[row].get(column) for column in self.ratio or ()]
        if len(values) < 2 or row in self._alone or any(not isinstance(value, list) for value in values):
            return None
        return ratio_interval(*values)

    def _cell(self, cells, column):
        samples = cells.get(column, "")
        return samples if isinstance(samples, str) else spread(samples)

    def show(self):
        """The whole table as text."""
        head = ["", *self.columns, "%s / %s [95 %%]" % self.ratio if self.ratio else ""]
        lines = [head]
        for row, cells in self.rows.items():
            found = self._ratio(row)
            text = "%s [%s–%s]" % tuple(map(number, found)) if found else ""
            lines.append([row, *(self._cell(cells, column) for column in self.columns), text])
        widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
        text = "\n== %s ==\n%s\n" % (self.name, self.note)
        for line in lines:
            text += ("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths))).rstrip() + "\n"
        return text + "".join("  %s\n" % remark for remark in self.remarks)

    def data(self):
        """The same for --json, with every sample."""
        ratios = {row: self._ratio(row) for row in self.rows}
        shown = {row: dict(zip(("ratio", "low", "high"), value)) for row, value in ratios.items()
                 if value and math.isfinite(value[2])}
        return {"name": self.name, "note": self.note, "columns": self.columns, "rows": self.rows,
                "ratio": self.ratio, "ratios": shown, "remarks": self.remarks}


class Bench:
    """One run: its options, what it compiled and copied, and the tables so far."""

    def __init__(self, binary, quick):
        self.quick = quick
        self.tables = []
        self.folder = Path(tempfile.mkdtemp(prefix="twinit-bench-", dir="/tmp"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)
        if not binary.exists():
            raise BenchError("%s does not exist: `make build` makes it" % binary)
        self.twinit = Path(shutil.copy2(binary, self.folder / "twinit"))  # somebody may build meanwhile
        self._helper = None

    def count(self, full, quick):
        """How many rounds: fewer with --quick."""
        return quick if self.quick else full

    @property
    def helper(self):
        """bench/helper.c, compiled once."""
        if self._helper is None:
            self._helper = self.folder / "helper"
            command = ["cc", "-O2", "-static", "-o", str(self._helper), str(BENCH / "helper.c")]
            if subprocess.run(command).returncode != 0:
                raise BenchError("bench/helper.c does not compile (see above); `tools/deps` installs gcc")
        return self._helper

    def table(self, *args, **options):
        """A new Table of this run; shown and kept by publish()."""
        return Table(*args, **options)

    def publish(self, table):
        """Prints a table that is complete, and keeps it for --json."""
        self.tables.append(table)
        print(table.show(), flush=True)

    def site(self, site_class=stack.Stack, **options):
        """A Stack in a folder of its own, on free ports, that nginx asks only once a request and without its log."""
        return site_class.temporary(**{"retries": False, "access_log": False, "binary": self.twinit, **options})


def progress(text):
    """What is going on, on a terminal only; the figures are the output."""
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def interleave(what, rounds, variants, measure):
    """{variant: [measure(variant), ...]}: A B, B A, A B, ... so that a drift of the machine meets both alike."""
    variants, found = list(variants), {variant: [] for variant in variants}
    for turn in range(rounds):
        for variant in variants if turn % 2 == 0 else reversed(variants):
            progress("%s: round %d of %d, %s" % (what, turn + 1, rounds, variant))
            found[variant].append(measure(variant))
    progress("")
    return found


def pick(found, key):
    """{variant: [one value of each measurement]}."""
    return {variant: [one[key] for one in results] for variant, results in found.items()}


def require(*programs):
    """Raises when a program is missing."""
    missing = [program for program in programs if not shutil.which(program, path=stack.PATH)]
    if missing:
        raise BenchError("not installed: %s; `tools/deps` or `tools/deps --bench` installs it" % ", ".join(missing))


# Load.

def total(failures):
    """{kind: count} of several measurements added up, as text; "0" when nothing failed."""
    kinds = {}
    for one in failures:
        for kind, count in one.items():
            kinds[kind] = kinds.get(kind, 0) + count
    return ", ".join("%d × %s" % (count, kind) for kind, count in sorted(kinds.items())) or "0"


class Wrk:
    """wrk with a script. `with Wrk(...) as load: ...; load.stop()`, or load.wait() for its whole time."""

    def __init__(self, url, connections, seconds=600, script="load.lua", words=("0", "")):
        # Timeout: a request that waits is a figure here, not an error.
        self._argv = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "--timeout", "60s",
                      "-s", str(BENCH / script), url, "--", *map(str, words)]
        self._popen = None

    def __enter__(self):
        self._popen = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                       env={"PATH": stack.PATH, "LUA_PATH": "%s/?.lua;;" % BENCH})
        return self

    def __exit__(self, *_):
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()

    def wait(self):
        """Waits for its end; a dictionary of what it measured, times in ms."""
        output = self._popen.communicate()[0]
        match = re.search(r"^BENCH (.*)$", output, re.M)
        if not match:
            raise BenchError("wrk ended without a result:\n" + output)
        found = json.loads(match[1])
        found["rate"] = found["requests"] / (found["us"] / 1e6)
        for name in ("p50", "p99", "p999", "longest"):
            found[name] = found.pop(name + "_us") / 1000
        return found

    def stop(self):
        """Ends it now; the same as wait()."""
        self._popen.send_signal(signal.SIGINT)
        return self.wait()


# The machine.

def first_line(*command):
    """The first line that a program says of its version; "?" when it is not there."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=10, env={"PATH": stack.PATH})
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return "?"
    return next(iter(done.stdout.splitlines()), "?").strip()


def package(name):
    """The version of a Debian package; "?" when it is not known."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) if shutil.which("dpkg-query") else None
    return done.stdout if done and done.returncode == 0 else "?"


def fpm_program():
    """php-fpm by the name that Debian gave it."""
    found = sorted(Path("/usr/sbin").glob("php-fpm*"))
    if not found:
        raise BenchError("no php-fpm in /usr/sbin; `tools/deps` installs it")
    return found[-1].name


def describe(twinit):
    """What was measured on what: {name: text}."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.M)
    return {
        "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "machine": "%d cores%s, %.1f GB, load %s" % (os.cpu_count(), cpu and " (%s)" % cpu[1] or "",
                                                     int(memory[1]) / 1e6, "%.2f %.2f %.2f" % os.getloadavg()),
        "kernel": "%s %s" % (platform.system(), platform.release()),
        "twinit": first_line(str(twinit), "version"),
        "php-fpm": first_line(fpm_program(), "-v"),
        "nginx": first_line("nginx", "-v"),
        "wrk": package("wrk"),
        "inits": "tini %s, dumb-init %s, catatonit %s" % tuple(map(package, ("tini", "dumb-init", "catatonit"))),
    }
