"""A CPU control group, where every container is.

Outside of one the kernel's autogroups would weigh each FPM master, which leads a session, against the others.
"""

import contextlib
import os
from pathlib import Path

import stack


class CpuGroup:
    """A group for a stack's tasks, each with all that it starts; without control groups it does nothing, and says so."""

    _count = 0

    def __init__(self, name):
        CpuGroup._count += 1
        root = next(filter(Path.is_dir, (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))))
        self._path = root / ("twinit-bench-%d-%d" % (os.getpid(), CpuGroup._count))
        try:
            if (root / "cgroup.subtree_control").exists():
                (root / "cgroup.subtree_control").write_text("+cpu\n")
            self._path.mkdir()
        except OSError as error:
            print("no CPU group for %s (%s): autogroups, where the kernel has them, are measured too" % (name, error))
            self._path = None

    def add(self, task):
        """Takes in a task that runs, and everything below it."""
        if self._path is None:
            return
        members, inside = [task.pid], set()
        while outside := [pid for pid in members if pid and pid not in inside]:
            for pid in outside:
                with contextlib.suppress(ProcessLookupError):  # it is gone already
                    (self._path / "cgroup.procs").write_text("%d\n" % pid)
            inside.update(outside)
            members = task.descendants()  # who forked before it was moved has children outside

    def remove(self):
        """Once everything in it has ended."""
        if self._path is None:
            return
        stack.wait_for("the CPU group is empty", lambda: not (self._path / "cgroup.procs").read_text(), 10)
        self._path.rmdir()
