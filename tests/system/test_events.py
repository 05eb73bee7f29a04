"""`on_event`: the program hears of everything once, and whatever it does holds up nothing."""

import json
import os
import re
import signal
import time

import pytest

from container import PHP_USER

HOOK = """\
#!/bin/sh
n=$TWINIT_NUMBER
{ cat >"$STUB_DIR/$n.json"; env >"$STUB_DIR/$n.env"; cat /proc/self/status >"$STUB_DIR/$n.status"; } || exit 9
mv "$STUB_DIR/$n.status" "$STUB_DIR/told-$n"
"""
COMMON = {"event", "level", "number", "dropped", "time", "hostname", "app", "text"}
FACTS = {
    "ready": {"replicas", "ms"},
    "roll-started": {"release", "previous"},
    "roll-done": {"release", "replicas", "ms", "cut"},
    "roll-refused": {"release", "why"},
    "roll-failed": {"release", "ms", "why"},
    "roll-taken-back": {"release", "ms", "cut", "why"},
    "replica-crashed": {"replica", "ms", "why"},
    "replica-back": {"replica", "lane", "ms"},
    "lane-lost": {"lane", "why"},
    "sessions-lost": {"why"},
    "sessions-back": {"why"},
    "sessions-doubt": {"why"},
    "stopping": {"ms", "status", "why"},
}


def hook(c, text=HOOK, mode=0o755, words=""):
    """Has the container run this script for events."""
    c.write("hook", text)
    (c.directory / "hook").chmod(mode)
    c.environment["TWINIT_ON_EVENT"] = "%s%s" % (c.directory / "hook", words)
    return c


def told(c):
    """All events that the program has written down, in their order."""
    numbers = sorted(int(path.name[5:]) for path in c.directory.glob("told-*"))
    return [json.loads((c.directory / ("%d.json" % n)).read_text()) for n in numbers]


def until_told(c, *names):
    """Waits until the program was told of these, each as often as it stands there; all that it was told."""
    def all_there():
        seen = [event["event"] for event in told(c)]
        return all(seen.count(name) >= names.count(name) for name in names)

    c.until("the program hears of %s" % ", ".join(names), all_there)
    return told(c)


def environment(c, number):
    """What the program had, without what a shell adds."""
    lines = (c.directory / ("%d.env" % number)).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def whole(event):
    """Has it all facts of its kind, and no other?"""
    assert set(event) == COMMON | FACTS[event["event"]], event
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]), event
    assert event["hostname"] == os.uname().nodename
    return event


def test_a_roll_is_told_from_its_beginning_to_its_end(make):
    c = hook(make()).boot()
    until_told(c, "ready")
    c.deploy(2)
    c.roll()
    events = [whole(event) for event in until_told(c, "roll-done")]
    assert [event["event"] for event in events] == ["ready", "roll-started", "roll-done"]
    assert [event["number"] for event in events] == [1, 2, 3]
    ready, started, done = events
    assert (ready["app"], ready["level"], ready["replicas"], ready["dropped"]) == ("", "info", 2, 0)
    assert (started["app"], started["previous"], started["release"]) == ("www", "1", "2")
    assert started["text"] == "www: release 1 -> 2"
    assert (done["app"], done["release"], done["replicas"], done["cut"]) == ("www", "2", 2, 0)
    assert c.stop() == 0
    stopping = whole(told(c)[-1])
    assert (stopping["event"], stopping["status"], stopping["ms"]) == ("stopping", 0, 8000)
