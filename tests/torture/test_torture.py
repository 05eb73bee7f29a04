"""Each call that can fail does so, once: in a roll, an order, a crash, the boot and the stop.

Afterwards PID 1 lives (in the boot: it may end with a documented status and a reason), the next roll works,
nothing is left over, and no request was lost. What fails is said, with the stage or the question that it
happened in. One fault for each place where a call is made, chosen by SEED; ALL=1: every one of them.
"""

import os
import re
import signal
import subprocess

import pytest

import container as machinery
from container import TookTooLong
from faults import CALLS, DEFINITIONS, WHO, faults_of, one_of_each, where
from tortured import LONG, Tortured, descriptors

EXIT_STATUSES = {64, 69, 70, 78}  # of a boot that fails, see doc/
FEW = 70  # faults for each test, without ALL=1

# What a master cannot do, by the call that failed; the others are in more than one stage.
STAGES = {
    "setsid": "make a session of its own",
    "setgroups": "take the pool's groups",
    "setresgid": "take the pool's groups",
    "unshare": "enter a mount namespace",
    "mount": "pin the release",
    "statvfs": "pin the release",
    "mkdirat": "pin the release",
    "symlinkat": "pin the release",
    "readlinkat": "pin the release",
    "cap_drop_bound": "empty the capability bounding set",
    "setresuid": "become the pool's user",
    "cap_set_proc": "drop its capabilities",
    "dup2": "hand its descriptors over",
    "fcntl": "hand its descriptors over",
    "execve": "be executed",
}
# Of whom the reason of a roll that failed must speak.
REASONS = {
    "master": r"replica \d cannot ",
    "program": r"php-fpm|PHP-FPM",
    "settings_run": r"\w",
    "trial_run": r"replica \d (could not be tried|did not answer|is not healthy|was not ready)",
    "stores_run": r"session store",
}


def chosen(recorded, who, dice, everything):
    """The faults of a test."""
    faults = [fault for fault in faults_of(recorded) if fault.who == who]
    return faults if everything else one_of_each(faults, dice)[:FEW]


def text_of(fault):
    """For people."""
    return "%s: call %d of %s() at %s: %s" % (
        fault.who, fault.at, fault.call, where(machinery.BUILT, fault.place), fault.error)


def wrong_reason(fault, said):
    """A complaint about the reason that an order was given, or None."""
    wanted = REASONS.get(fault.who, r"\w")
    if fault.who == "master" and fault.call in STAGES:
        wanted = r"replica \d cannot " + STAGES[fault.call]
    return None if re.search(wanted, said) else "the reason should match %r: %r" % (wanted, said)


# --- a twinit that lives on


def order(c, *words):
    """(exit status, what was said) of a command that may take as long as it likes, but not for ever."""
    return c.tell(*words, timeout=LONG)


def roll(c):
    """One roll."""
    return order(c, "restart")


def deploy_and_back(c):
    """Another release, and back while the old masters linger."""
    now = os.readlink(c.directory / "app" / "current")[-1]
    code, said = order(c, "deploy", "2" if now == "1" else "1")
    back, said_back = order(c, "rollback")
    return code or back, said + said_back


def look(c):
    """What monitoring asks."""
    code, said = order(c, "status", "--json")
    healthy, said_health = order(c, "health")
    return code or healthy, said + said_health


def one_by_one(c):
    """A replica is stopped and started."""
    code, said = order(c, "stop", "www/1")
    again, said_again = order(c, "start", "www/1")
    return code or again, said + said_again


def crash(c):
    """A master dies and leaves a worker. Its requests are lost, so there are none."""
    c.load.pause()
    os.kill(c.newest("www/1"), signal.SIGKILL)
    c.until_calm()
    c.load.go()
    return 0, ""


# {name: (what happens, options of the Container)}
SCENES = {
    "roll": (roll, {}),
    "roll-unix": (roll, {"unix": True}),
    "roll-path": (roll, {"isolation": "path"}),
    "deploy": (deploy_and_back, {"linger": "60s"}),
    "deploy-unix": (deploy_and_back, {"linger": "60s", "unix": True}),
    "look": (look, {}),
    "one-by-one": (one_by_one, {}),
    "crash": (crash, {}),
}
CAST = {
    "roll": "pid1 master program settings_run stores_run trial_run drain_run prime_run other",
    "roll-unix": "pid1 prime_run",
    "roll-path": "pid1 master settings_run",
    "deploy": "pid1 vigil_run other",
    "deploy-unix": "pid1",
    "look": "pid1",
    "one-by-one": "pid1 drain_run",
    "crash": "pid1",
}


@pytest.fixture(scope="module")
def count(living):
    """count(scene): {(who, call, place): how often} when nothing fails."""
    counted = {}

    def of(scene):
        if scene not in counted:
            act, options = SCENES[scene]
            c = living(**options)
            c.faults.record()
            code, said = act(c)
            assert code == 0, said
            c.until_calm()
            counted[scene] = c.faults.recorded()
        return counted[scene]

    return of


def torture(c, act, fault):
    """What is wrong after this fault; None when it did not happen."""
    c.faults.arm(fault)
    mark = c.log.mark()
    try:
        code, said = act(c)
    except (subprocess.TimeoutExpired, TookTooLong) as late:
        code, said = 0, ""
        found = ["no end: %s" % late]
    else:
        found = []
    fired = c.faults.disarm()
    found += c.complaints()
    if not fired:
        return found or None
    if code != 0 and (wrong := wrong_reason(fault, said)):
        found.append(wrong)
    print("%s -> %d %s | %s" % (text_of(fault), code, " ".join(said.split())[-300:] if code else "",
                                " / ".join(c.log.lines[mark:mark + 12]) if os.environ.get("STORY") else ""))
    return found


@pytest.mark.parametrize("scene, who", [(scene, who) for scene, cast in CAST.items() for who in cast.split()])
def test_one_call_fails(living, count, dice, everything, scene, who):
    act, options = SCENES[scene]
    faults = chosen(count(scene), who, dice, everything)
    happened, complaints = 0, []
    for fault in faults:
        found = torture(living(**options), act, fault)
        happened += found is not None
        complaints += ["%s: %s" % (text_of(fault), one) for one in found or []]
    print("%s, %s: %d of %d faults happened" % (scene, who, happened, len(faults)))
    assert not complaints, "%d complaints:\n%s" % (len(complaints), "\n".join(complaints))
    assert happened >= len(faults) / 2, "only %d of %d faults happened" % (happened, len(faults))
