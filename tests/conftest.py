"""What all tiers that are written in Python have in common."""

import signal
import sys
from pathlib import Path

# For all tiers: clients that count, and waiting.
sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))


def ignore(*_):
    """As SIG_IGN does, but what we start does not inherit it."""


def pytest_configure():
    """Whoever started us in the background, or with nohup, ignores signals, and what we start would too."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, ignore)
