"""Where the soak happens: the sample site on small file systems, a pids cgroup, and who reads twinit's log."""

import collections
import contextlib
import ctypes
import os
import random
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import rolls
from support import REPO, VARIANTS, Site, stack

WORKERS = 16
OUTCOMES = {"done": r"release \S+ is active on", "refused": r"roll refused", "failed": r"roll failed",
            "taken back": r"roll taken back"}
CLONE_NEWNS, MS_REC, MS_PRIVATE = 1 << 17, 1 << 14, 1 << 18


def own_mounts():
    """From now on what we mount is seen by us and those we start, and goes with us."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_PRIVATE | MS_REC, None):
        sys.exit("soak: no mount namespace of our own: %s" % os.strerror(ctypes.get_errno()))


class Listener:
    """Hears twinit's log as the stack copies it, counts what rolls came to, and can be deaf."""

    def __init__(self):
        self.outcomes = collections.Counter()
        self.errors = collections.Counter()
        self._open = threading.Event()
        self._open.set()

    @contextlib.contextmanager
    def closed(self):
        """Nobody takes a line."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def write(self, line):
        self._open.wait()
        for outcome, pattern in OUTCOMES.items():
            if re.search(pattern, line):
                self.outcomes[outcome] += 1
        if line.startswith("twinit: error: "):
            self.errors[re.sub(r"\d+", "N", line[15:].rstrip())] += 1

    def flush(self):
        pass


class Group:
    """The pids cgroup of the container."""

    def __init__(self):
        self._folder = Path("/sys/fs/cgroup/pids/twinit-soak-%d" % os.getpid())
        self._folder.mkdir()

    def take(self, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (self._folder / "cgroup.procs").write_text(str(pid))

    def count(self):
        return int((self._folder / "pids.current").read_text())

    def limit(self, most):
        (self._folder / "pids.max").write_text(str(most))

    def remove(self):
        self._folder.rmdir()


class SoakSite(Site):
    """The sample site on small file systems. How releases are pinned and how requests come depends on the seed."""

    def __init__(self, seed, listener):
        self.variant = random.Random(seed).choice(list(VARIANTS))
        super().__init__(pool={"pm": "static", "pm.max_children": WORKERS, "access.log": "/srv/app/shared/access.log"},
                         env={"TWINIT_ISOLATION": VARIANTS[self.variant]["env"]["TWINIT_ISOLATION"],
                              "TWINIT_CONFIG": "/srv/php-fpm/twinit.conf"},
                         unix="unix" in VARIANTS[self.variant], access_log=False, echo=listener)

    def install_release(self, number):
        target = super().install_release(number)
        for file in (REPO / "tests" / "soak" / "app").glob("*.php"):
            (target / "public" / file.name).write_text(file.read_text().replace("@RELEASE@", str(number)))
        stack.open_to_all(target)
        return target

    def prepare(self):
        super().prepare()
        (self.task.fpm_config / "pool.d" / "zz-soak.conf").write_text("[www]\n")
        rolls.write_config(self.task.fpm_config / "twinit.conf")
        shared = self.directory / "app" / "shared"
        shared.mkdir()
        (shared / "access.log").touch()
        begun = self.directory / "sock" / "begun"
        begun.touch()
        for path in (shared, shared / "access.log", begun):
            shutil.chown(path, "www-data", "www-data")
        (shared / "access.log").chmod(0o666)  # twinit as root without capabilities looks at it too
        mount_small(self.directory / "app", "size=64m,nr_inodes=4000")
        mount_small(self.task.run_dir, "size=512k,nr_inodes=100")


def mount_small(folder, options):
    """Moves what is in a folder to a tmpfs over it."""
    copy = folder.with_name(folder.name + ".below")
    subprocess.run(["cp", "-a", folder, copy], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755," + options, "soak", folder], check=True)
    subprocess.run(["cp", "-a", "%s/." % copy, folder], check=True)
    shutil.rmtree(copy)
