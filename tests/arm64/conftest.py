"""Fixtures of the arm64 tier: the cross-built binary under qemu, which runs it as a program of this system.

qemu 7 has no seccomp for the programs it runs, and twinit starts nobody without his filter. So what starts masters is
a binary that thinks it has loaded filters (tests/support/unfiltered.c); all else is the one that is shipped. The stub
masters are native: qemu leaves what is executed to the system.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "system"))
os.environ.setdefault("TWINIT", str(REPO / "build" / "arm64" / "twinit"))
EMULATED = REPO / "build" / "arm64" / "emulated" / "twinit"

import container as machinery  # pylint: disable=wrong-import-position

QEMU = "qemu-aarch64-static"


def pytest_configure():
    """Nothing here works without the binary, qemu and root."""
    if os.geteuid() != 0:
        pytest.exit("the arm64 tier needs root, for namespaces", 1)
    if not machinery.BUILT.exists() or shutil.which(QEMU) is None:
        pytest.exit("`make check-arm64` builds %s and installs %s" % (machinery.BUILT, QEMU), 1)


class Emulated(machinery.Container):
    """A Container whose twinit, and whose commands, run under qemu; masters only where filters are not wanted."""

    def __init__(self, filters=False, **options):
        super().__init__(prefix=[QEMU], **options)
        self.filters = filters

    def command(self):
        """What is PID 1."""
        return super().command() if self.filters else [str(EMULATED)]

    def tell(self, *command, timeout=60):
        """Runs a twinit command against this twinit: its exit status and all it said."""
        done = run(*command, env=self.environment, timeout=timeout)
        return done.returncode, done.stdout


def run(*words, **options):
    """`twinit WORDS...` under qemu, not as PID 1; a CompletedProcess."""
    return subprocess.run([QEMU, str(machinery.binary()), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **{"timeout": 60, **options})


@pytest.fixture(name="twinit")
def twinit_():
    """twinit("version") under qemu."""
    return run


@pytest.fixture
def as_init():
    """as_init("sh", "-c", ...) begins `twinit -- COMMAND` under qemu as PID 1; it does not outlive the test."""
    begun = []

    def new(*command):
        begun.append(subprocess.Popen([*machinery.MODES["pid1"], QEMU, str(machinery.binary()), "--", *command],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True))
        return begun[-1]

    yield new
    for one in begun:
        one.kill()
        one.communicate()


@pytest.fixture
def make():
    """make(replicas=3, ...) is an Emulated that is cleaned up."""
    made = []

    def new(**options):
        made.append(Emulated(**options))
        return made[-1]

    yield new
    for one in made:
        one.__exit__(None, None)
