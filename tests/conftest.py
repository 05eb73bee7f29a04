"""What all tiers that are written in Python have in common."""

import os
import signal
import sys
from pathlib import Path

import pytest

# For all tiers: clients that count, and waiting.
sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))


# Where sanitizers and valgrind write what they have found (`make check-system-asan`, `make check-system-valgrind`).
REPORTS = os.environ.get("REPORTS") and Path(os.environ["REPORTS"])


def ignore(*_):
    """As SIG_IGN does, but what we start does not inherit it."""


def pytest_configure():
    """Whoever started us in the background, or with nohup, ignores signals, and what we start would too."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, ignore)
    if REPORTS:
        REPORTS.mkdir(exist_ok=True)
        REPORTS.chmod(0o1777)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown():
    """A test whose twinit, or a child or client of it, made a sanitizer or valgrind report something has failed."""
    yield
    reports = {path: path.read_text(errors="replace") for path in sorted(REPORTS.iterdir())} if REPORTS else {}
    # Valgrind begins with an empty one.
    reports = {path: text for path, text in reports.items() if text}
    for path in reports:
        path.unlink(missing_ok=True)  # of several at once, another may have been faster
    assert not reports, "reported:\n%s" % "\n".join(reports.values())
