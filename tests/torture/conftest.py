"""Fixtures of the torture tier. Needs root, for namespaces, and the binary that `make torture` builds."""

import os
import random
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import container as machinery  # noqa: E402 (found by the line above)
from tortured import Tortured  # noqa: E402

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
ALL = os.environ.get("ALL", "") not in ("", "0")


def pytest_configure():
    """Nothing here works without the binary and root."""
    if os.geteuid() != 0:
        pytest.exit("the torture tier needs root, for namespaces", 1)
    if b"__wrap_helper_start" not in machinery.BUILT.read_bytes():
        pytest.exit("%s is not the tortured twinit: `make torture` builds and runs it" % machinery.BUILT, 1)


def pytest_report_header():
    """What repeats this run."""
    return "SEED=%d%s" % (SEED, " ALL=1" if ALL else "")


@pytest.fixture(scope="session", autouse=True)
def _programs():
    """The programs are there while tests run."""
    yield
    shutil.rmtree(machinery.programs())


@pytest.fixture(scope="session")
def everything():
    """Whether all faults are wanted, not one for each place."""
    return ALL


@pytest.fixture
def dice(request):
    """The same for the same test and seed."""
    return random.Random("%d %s" % (SEED, request.node.name))


@pytest.fixture(scope="module")
def living():
    """living(unix=True, ...) is a Tortured that has settled, the same one as long as it lives."""
    made = {}

    def get(**options):
        key = tuple(sorted(options.items()))
        if key in made and not made[key].lives():
            made.pop(key).__exit__(RuntimeError, None, None)
        if key not in made:
            made[key] = Tortured(**options)
            made[key].settle()
        return made[key]

    yield get
    for one in made.values():
        one.__exit__(None, None)
