"""Each call of a command that asks can fail, once: it ends, says so, and leaves nothing; PID 1 does not mind."""

import glob
import json
import os
import re
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from container import TookTooLong, binary
from faults import Faults, where
from through import chosen, go_through
from tortured import LONG

Answer = namedtuple("Answer", "code out said")

FCGI = {0, 1, 6, 7, 8, 18, 22, 23, 26, 28, 52, 64}
SAID = r"twinit[ \w]*: \S"
UNASKED = "twinit: not every pool could be asked: \\w"
# The C library's lists of name services, which it takes memory for without looking: abort, or worse.
LIBRARY = "__getdelim|global_state_allocate"
# {name: (words, whether it runs in the container's PID namespace, exit statuses)}
COMMANDS = {
    "status": (["status"], True, {0, 1}),
    "status-json": (["status", "--json"], True, {0, 1}),
    "status-far": (["status", "--json"], False, {0, 1}),
    "list": (["list", "--json"], False, {0, 1}),
    "ps": (["ps"], True, {0, 1}),
    "metrics": (["metrics"], True, {0, 1}),
    "health": (["health"], False, {0, 1}),
    "sessions": (["sessions", "--json"], False, {0, 1}),
    "check": (["check", "--json"], True, {0, 1, 78}),
    "fcgi": (["fcgi", "--timeout", "2", "ADDRESS", "/index.php"], False, FCGI),
    "fcgi-replica": (["fcgi", "--timeout", "2", "--replica", "www/1", "/status"], False, FCGI),
}
CAST = {name: ["command"] for name in COMMANDS}
for asks in ("status", "status-json", "metrics", "check"):
    CAST[asks] = ["command", "other"]
CAST["check"].append("program")


@pytest.fixture(scope="module")
def faults():
    """Those of the commands, not of the twinit that they ask."""
    made = Faults()
    yield made
    made.close()


def session_of(pid):
    """Who shares a session belongs together."""
    try:
        return int(Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[3])
    except (FileNotFoundError, ProcessLookupError):
        return None


def strays(session):
    """Pids of a command's session."""
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and session_of(int(pid)) == session]


def covers():
    """What `twinit check` makes for a moment."""
    return set(glob.glob("/run/twinit-check-*") + glob.glob("/dev/shm/twinit-check-*"))


def ask(c, faults, name):
    """The answer of a command, which leaves nothing behind."""
    words, inside, _ = COMMANDS[name]
    words = ["%s:%d" % c.address if word == "ADDRESS" else word for word in words]
    enter = ["nsenter", "--target", str(c.pid), "--pid", "--mount"] if inside else []
    environment = {**c.environment, "TORTURE": faults.path, "TORTURE_COMMAND": "1"}
    before = covers()
    with subprocess.Popen([*enter, str(binary()), *words], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            out, said = (text.decode(errors="replace") for text in process.communicate(timeout=LONG))
        finally:
            process.kill()
    faults.disarm()
    c.until("no process is left of %s: %s" % (words, strays(process.pid)), lambda: not strays(process.pid))
    c.until("no folder is left of %s" % words, lambda: not covers() - before)
    return Answer(process.returncode, out, said)


def lacking(wanted, found, where="it"):
    """Keys that an answer in JSON does not have, though it should."""
    if isinstance(wanted, list) and isinstance(found, list):
        return [one for each in found for one in (lacking(wanted[0], each, where + "[]") if wanted else [])]
    if not isinstance(wanted, dict) or not isinstance(found, dict):
        return []
    below = [lacking(wanted[key], found[key], "%s.%s" % (where, key)) for key in wanted if key in found]
    return ["%s lacks %s" % (where, key) for key in wanted if key not in found] + sum(below, [])


def wrong(name, fault, answer, good):
    """Complaints about what a command said and how it ended, beside `good`, its answer when nothing fails."""
    words, _, statuses = COMMANDS[name]
    if answer.code not in statuses:
        return ["it ended with %d: %s" % (answer.code, answer.said)]
    wanted = UNASKED if fault.call in ("fork", "pipe2") and words[0] in ("status", "metrics") else SAID
    # Who is not read any more says nothing; and `check` says on stdout what it could not find out.
    silent = fault[1::3] == ("write", "EPIPE") or words[0] == "check" and answer.out
    if (answer.code != good.code or wanted is UNASKED) and not silent and not re.search(wanted, answer.said):
        return ["it ended with %d and does not say %r: %r" % (answer.code, wanted, answer.said)]
    if "--json" not in words or answer.code not in (0, good.code):
        return []
    # Who has failed and says so need not answer, too.
    if answer.code != 0 and answer.said and not answer.out:
        return []
    try:
        return lacking(json.loads(good.out), json.loads(answer.out))
    except ValueError as error:
        return ["its JSON: %s: %r" % (error, answer.out[-200:])]


@pytest.fixture(scope="module")
def count(living, faults):
    """count(name): (its answer when nothing fails, {(who, call, place): how often})."""
    counted = {}

    def of(name):
        if name not in counted:
            faults.record()
            answer = ask(living(redis=True), faults, name)
            counted[name] = answer, faults.recorded()
            assert answer.code in ((0, 1) if name in ("sessions", "check") else (0,)), answer
        return counted[name]

    return of


@pytest.mark.parametrize("name, who", [(name, who) for name, cast in CAST.items() for who in cast])
def test_one_call_of_a_command_fails(living, count, faults, dice, everything, name, who):
    c = living(redis=True)
    good, recorded = count(name)

    def torture(fault):
        faults.arm(fault)
        try:
            answer = ask(c, faults, name)
        except (subprocess.TimeoutExpired, TookTooLong) as late:
            return faults.disarm(), [str(late).partition("; the log")[0]], "no end"
        found = wrong(name, fault, answer, good) if faults.get("fired") else []
        if not c.lives():
            found.append("PID 1 has ended")
        return bool(faults.get("fired")), found, "%d %s" % (answer.code, " ".join(answer.said.split())[-200:])

    ours = [fault for fault in chosen(recorded, who, dice, everything)
            if fault.call != "malloc" or not re.match(LIBRARY, where(binary(), fault.place))]
    go_through(ours, torture)
    assert not c.complaints()
