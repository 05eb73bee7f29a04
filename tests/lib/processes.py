"""Processes as /proc shows them: who is whose child, who is in which namespace, what power somebody has."""

import contextlib
import os
import pwd
import re
import sys
from collections import namedtuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from stack import children, title  # noqa: E402 (found by the line above)

# A pid alone may have become somebody else's.
Process = namedtuple("Process", "pid started")


def stat_of(pid):
    """The fields of /proc/PID/stat after the name, [] when there is no such process."""
    try:
        return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def process(pid):
    """Which process has this pid now; None when there is none."""
    fields = stat_of(pid)
    return Process(pid, fields[19]) if fields else None


def processes(pids):
    """The processes that have these pids now."""
    return {found for found in map(process, pids) if found}


def still_there(those):
    """Those of the processes that have not gone; zombies are still there."""
    return {one for one in those if process(one.pid) == one}


def is_zombie(pid):
    """Dead and not reaped."""
    return stat_of(pid)[:1] == ["Z"]


def status_field(pid, name):
    """A line of /proc/PID/status, e.g. "CapEff"; None when the process is gone."""
    try:
        text = Path("/proc/%d/status" % pid).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return re.search(r"^%s:\s*(.*)$" % name, text, re.M)[1]


def namespace(pid, kind):
    """Which "mnt", "pid", ... namespace a process is in; None when it is gone."""
    try:
        return os.readlink("/proc/%d/ns/%s" % (pid, kind))
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # the last: not even root may look at some
        return None


def in_namespace(kind, which):
    """{pid: title} of all processes in a namespace."""
    return {int(name): title(int(name)) for name in os.listdir("/proc")
            if name.isdigit() and namespace(int(name), kind) == which}


def sockets_of(pid):
    """Descriptors that are sockets."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for number in os.listdir("/proc/%d/fd" % pid):
            with contextlib.suppress(FileNotFoundError):
                if os.readlink("/proc/%d/fd/%s" % (pid, number)).startswith("socket:"):
                    found.append(number)
    return found


def workers(master):
    """Pids of the workers of an FPM master that serve visitors."""
    return [pid for pid in children(master) if title(pid) == "php-fpm: pool www"]


def fpm_masters(pid):
    """Pids of the FPM masters that are children of a twinit."""
    return sorted(child for child in children(pid) if title(child).startswith("php-fpm: master"))


def runs_fpm(pid):
    """True from exec on, before it has its title, until it is dead."""
    try:
        return "php-fpm" in os.path.basename(os.readlink("/proc/%d/exe" % pid))  # or a memfd of that name
    except (FileNotFoundError, ProcessLookupError):
        return False


def assert_is_powerless(pid, user="www-data", bounding=0):
    """That user's (a name or a number) in every respect, without a capability or a way to one, and behind the
    syscall filter.

    `bounding` is the set that a twinit without privileges cannot empty; with no_new_privs it leads nowhere.
    Not so much of a process that has gone since it was seen: workers of a probe pool serve one request.
    """
    what = "%d, %r" % (pid, title(pid))
    uid = str(user if isinstance(user, int) else pwd.getpwnam(user).pw_uid)
    try:
        lines = Path("/proc/%d/status" % pid).read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert status["Uid"].split() == [uid] * 4, what
    expected = {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": bounding, "CapAmb": 0}
    assert {name: int(status[name], 16) for name in expected} == expected, what
    assert status["NoNewPrivs"] == "1", what
    assert status["Seccomp"] == "2", what
