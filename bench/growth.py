"""How a roll's time, memory and PID 1's own work grow with apps, replicas, workers and files."""

import contextlib
import time

from common import progress
from inits import memory
from peers import WORKERS
from releases import memory_mb
from serving import cpu_us

ROLLS = 5
CONFIG = "/srv/php-fpm/twinit.conf"

APP = """\
[%(name)s]
user = www-data
group = www-data
listen = /srv/sock/%(name)s.sock
listen.owner = www-data
pm = static
pm.max_children = 2
"""

PAGE = """\
<?php
for ($n = 0; $n < %d; $n++) {
    require __DIR__ . "/../files/$n.php";
}
echo 'all';
"""
FILE = "<?php\nfunction file%d(int $by): array\n{\n    return array_map(fn ($n) => $n * $by + %d, range(0, 9));\n}\n"


@contextlib.contextmanager
def running(bench, env=None, pool=None, prepare=None):
    """A site of its own that serves."""
    pool = {"pm": "static", "pm.max_children": str(WORKERS), **(pool or {})}
    with bench.site(pool=pool, env={"TWINIT_APP_QUIET": "0ms", **(env or {})}, autostart=False) as site:
        if prepare:
            prepare(site)
        site.start()
        yield site


def with_apps(count):
    """Writes a configuration of so many apps with two workers each."""
    def prepare(site):
        sections = []
        for n in range(count):
            name = "www" if n == 0 else "app%d" % n
            path = "/srv/php-fpm/php-fpm.conf" if n == 0 else "/srv/php-fpm/%s.conf" % name
            if n:
                (site.task.fpm_config / ("%s.conf" % name)).write_text(APP % {"name": name})
            sections.append("[app %s]\nfpm_config = %s\nrelease = /srv/app/current\nquiet = 0ms\n" % (name, path))
        (site.task.fpm_config / "twinit.conf").write_text("".join(sections))
        task = site.task
        plain = task.environment
        task.environment = lambda: {**{name: value for name, value in plain().items()
                                       if not name.startswith("TWINIT_APP_")}, "TWINIT_CONFIG": CONFIG}
    return {"prepare": prepare, "pool": {"pm.max_children": "2"}}


def with_files(count):
    """Both releases have so many files, all of which one page loads, and a new master is warmed up with it."""
    def prepare(site):
        for number in (1, 2):
            release = site.directory / "app" / "releases" / str(number)
            (release / "files").mkdir()
            for n in range(count):
                (release / "files" / ("%d.php" % n)).write_text(FILE % (n, n))
            (release / "public" / "all.php").write_text(PAGE % count)
    return {"prepare": prepare, "env": {"TWINIT_APP_WARM": "/all.php"}}


def with_replicas(count):
    """So many masters for the same workers."""
    return {"env": {"TWINIT_APP_REPLICAS": str(count)}}


def with_workers(count):
    """So many workers in all."""
    return {"pool": {"pm.max_children": str(count)}}


SIZES = {"apps": (with_apps, (1, 4, 16), (1, 4)), "replicas": (with_replicas, (1, 2, 3, 4), (1, 4)),
         "workers": (with_workers, (10, 100, 1000), (10, 100)), "files": (with_files, (10, 500, 5000), (10, 500))}


def measure(site):
    """What some rolls cost without load."""
    pid, took, work = site.task.pid, [], []
    for turn in range(ROLLS + 1):
        site.current(2 - turn % 2)
        before, begin = cpu_us([pid]), time.monotonic()
        site.restart()
        took.append((time.monotonic() - begin) * 1000)
        work.append((cpu_us([pid]) - before) / 1000)
        time.sleep(0.2)  # the machine calms down
    # The first roll touches what no later one does.
    return {"roll, ms": took[1:], "CPU time of PID 1 in a roll, ms": work[1:],
            "PID 1 anonymous, KB": memory(pid).get("anonymous, KB", "?"), "whole tree, MB": memory_mb(site.task)}


def growth(bench):
    """Roll time, PID 1's CPU time and memory by number of apps, replicas, workers and files of a release."""
    table = None
    for what, (options, full, quick) in SIZES.items():
        for size in bench.count(full, quick):
            progress("growth: %d %s" % (size, what))
            with running(bench, **options(size)) as site:
                found = measure(site)
            table = table or bench.table("growth", "%d rolls each, no load; %d workers and two replicas unless told; apps "
                                         "have two workers each and are rolled by one `twinit restart`; files are loaded by "
                                         "`warm`" % (ROLLS, WORKERS), list(found))
            table.add_all("%d %s" % (size, what), found)
    progress("")
    bench.publish(table)
