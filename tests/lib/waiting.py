"""What every test in Python needs to wait for events."""

import time

HOST = "127.0.0.1"
SECONDS = 30  # for what takes milliseconds: a deadline, not a measurement


def wait_until(what, seconds, look, good=bool, pause=0.01):
    """Looks again and again until good(seen), and returns what was seen; fails with what was seen last.

    A look that costs much (a program is started, say) wants a longer pause.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if good(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError("expected within %g s: %s; last seen: %r" % (seconds, what, seen))
        time.sleep(pause)
