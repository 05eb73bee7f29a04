"""Orders of all kinds at once, in any order: each is answered, and all ends well."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from container import Container, binary

SECONDS = 12
ANSWERED = 60.0  # by then each order must have been, whatever was before it
SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 1 << 30)

ORDERS = (
    ["deploy", "1"], ["deploy", "2"], ["deploy", "--no-wait", "2"], ["deploy", "3"], ["deploy", "nowhere"],
    ["rollback"], ["rollback", "--no-wait"], ["restart"], ["restart", "--force"], ["restart", "--no-wait"],
    ["restart", "www", "1"], ["restart", "www", "2"], ["restart", "--force", "www", "1"],
    ["stop", "www", "1"], ["stop", "www", "2"], ["stop", "--force", "all"],
    ["start", "all"], ["start", "www", "1"], ["start", "www", "2"], ["status"],
)


class Storm:
    """Some people who give orders until it is over; what they were not told is kept."""

    def __init__(self, c, rng, people):
        self.c, self.until, self.unanswered, self.given = c, time.monotonic() + SECONDS, [], 0
        self.people = [threading.Thread(target=self._give, args=(random.Random(rng.random()),))
                       for _ in range(people)]
        for one in self.people:
            one.start()

    def _give(self, rng):
        while time.monotonic() < self.until:
            words = rng.choice(ORDERS)
            self.given += 1
            try:
                self.c.tell(*words, timeout=ANSWERED)
            except subprocess.TimeoutExpired:
                self.unanswered.append(" ".join(words))
                return
            if rng.random() < 0.2:
                self.c.signal("HUP")
            if rng.random() < 0.2:
                self._kill(rng)

    def _kill(self, rng):
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(rng.choice(self.c.stubs()), signal.SIGKILL)

    def end(self):
        """Waits for all of them."""
        for one in self.people:
            one.join()


@pytest.mark.slow
@pytest.mark.parametrize("unix, surge, linger", [(False, "", "200ms"), (True, "", "200ms"), (False, 0, "0s")])
def test_each_order_is_answered_and_all_ends_well(unix, surge, linger):
    print("SEED=%d repeats the orders" % SEED)
    with Container(unix=unix, surge=surge, linger=linger, drain_timeout="2s", start_timeout="2s") as c:
        release = c.directory / "app" / "releases" / "3"
        (release / "public").mkdir(parents=True)
        (release / "release.txt").write_text("3\n")
        c.behave("g3:die", "r2:no-quit")  # replica 2 takes its time to go
        c.boot()
        storm = Storm(c, random.Random(SEED), 5)
        storm.end()
        assert not storm.unanswered, "of %d orders these got no answer: %s" % (storm.given, storm.unanswered)
        c.until("it is idle", lambda: c.app()["roll"] == "idle", timeout=60)
        c.until("the replicas are there", lambda: c.tell("start", "all")[0] == 0, timeout=60)
        # A deploy or HUP that came last may have left a bad release named; that is not active.
        code, text = c.tell("deploy", "1", timeout=60)
        assert code == 0, text
        assert c.release() == "1"
        assert os.readlink(c.directory / "app" / "current") == "releases/1"
        assert {m["state"] for m in c.masters().values()} == {"ready"}
        assert c.stop() == 0
