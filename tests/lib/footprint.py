"""What a twinit takes: descriptors, mounts, processes, files, memory. Compared before and after something."""

import contextlib
import os
import re
from pathlib import Path

from processes import in_namespace, namespace, status_field, title


def descriptors(pid):
    """What they are, without the numbers that differ each time."""
    found = []
    for name in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(FileNotFoundError):
            found.append(re.sub(r"\d+", "N", os.readlink("/proc/%d/fd/%s" % (pid, name))))
    return sorted(found)


def mounts(pid):
    """How many its mount namespace has below /srv; None when it is gone.

    All others are copies of the machine's, which go when somebody there removes what they are mounted on.
    """
    try:
        lines = Path("/proc/%d/mountinfo" % pid).read_text().splitlines()
        return sum(re.match("/srv(/|$)", line.split()[4]) is not None for line in lines)
    except (FileNotFoundError, ProcessLookupError, OSError):
        return None


def lasting(pid):
    """Not a worker that comes with a question to a private socket and goes some seconds later."""
    return not re.fullmatch(r"php-fpm: pool (twinit-www|www_status)", title(pid))


def footprint(site):
    """Descriptors of PID 1, mounts of it and its masters, all processes, and the files of its folder."""
    twinit = site.task.pid
    everybody = in_namespace("pid", namespace(twinit, "pid"))
    return {
        "descriptors": descriptors(twinit),
        "mounts": [mounts(twinit)] + sorted(mounts(pid) or 0 for pid in site.task.masters()),
        "mounts outside": Path("/proc/self/mountinfo").read_text().count(str(site.directory)),
        "processes": sorted(re.sub(r" \(.*", "", name) for pid, name in everybody.items() if lasting(pid)),
        "files": sorted(re.sub(r"\d+", "N", str(path.relative_to(site.task.run_dir)))
                        for path in site.task.run_dir.rglob("*")),
    }


def differences(before, now):
    """{what: (before, now)} of what is not the same."""
    return {what: (before[what], now[what]) for what in before if before[what] != now[what]}


def memory_kb(site, field="VmRSS"):
    """Of PID 1."""
    return int(status_field(site.task.pid, field).split()[0])
