"""Each call that can fail does so, once: in a roll, an order, a crash, the boot and the stop.

Afterwards PID 1 lives (in the boot: it may end with a documented status and a reason), the next roll works,
nothing is left over, and no request was lost. What fails is said, with the stage or the question that it
happened in, and PHP is never less confined than without a fault.

Each test takes a few places where calls are made, another choice for each SEED; ALL=1 takes all, with every
error, and several calls of those that are made more than once from the same place.
"""

import os
import re
import signal
import socket
import subprocess

import pytest

from container import TookTooLong, children, end_of
from faults import Fault
from listeners import listeners
from through import chosen, go_through
from tortured import LONG, Tortured

EXIT_STATUSES = {69, 70, 78}  # of a boot that fails, see doc/

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
    "master": r"replica \d:? cannot ",
    "program": r"php-fpm|PHP-FPM",
    "settings_run": r"cannot|unknown|FPM configuration",
    "trial_run": r"replica \d:? (could not be tried|did not answer|is not healthy|was not ready)",
    "stores_run": r"session store",
}


# What the log must say of a helper that nobody waits for, when one of these calls of it failed.
LOGGED = {"notify_run": ("memfd_create fork pipe2 execve dup2 waitpid", "on_event: /bin/cat .*(cannot be run|died)")}


def unsaid(c, fault, mark):
    """A complaint about what the log does not say, or nothing."""
    calls, wanted = LOGGED.get(fault.who, ("", ""))
    if fault.call not in calls.split() or c.log.find(wanted, mark):
        return []
    return ["the log should say %r" % wanted]


def wrong_reason(fault, said):
    """A complaint about the reason that an order was given, or None."""
    wanted = REASONS.get(fault.who, r"\w")
    if fault.who == "master" and fault.call in STAGES:
        wanted = r"replica \d:? cannot " + STAGES[fault.call]
    return None if re.search(wanted, said) else "the reason should match %r: %r" % (wanted, said)


# --- a twinit that lives on


def order(c, *words):
    """(exit status, what was said) of a command that may take as long as it likes, but not for ever."""
    return c.tell(*words, timeout=LONG)


def roll(c):
    """One roll."""
    return order(c, "restart")


def deploy_and_back(c):
    """Another release, and back at once, while the old masters linger."""
    now = os.readlink(c.directory / "app" / "current")[-1]
    mark = c.log.mark()
    with c.background("deploy", "2" if now == "1" else "1") as deploy:
        c.until("it is decided", lambda: deploy.poll() is not None or c.log.find("cutover", mark), timeout=LONG)
        back, said_back = order(c, "rollback")
        code, said = end_of(deploy)
    # A deploy that is taken back has not done what it should.
    return back or (code if "taken back" not in said else 0), said + said_back


def look(c):
    """What monitoring asks."""
    code, said = order(c, "status", "--json")
    healthy, said_health = order(c, "health")
    return code or healthy, said + said_health


def sessions(c):
    """The questions about sessions are asked; what stubs make of them is no matter here."""
    return 0, order(c, "sessions", "--json")[1]


def one_by_one(c):
    """A replica is stopped and started."""
    code, said = order(c, "stop", "www", "1")
    again, said_again = order(c, "start", "www", "1")
    return code or again, said + said_again


def crash(c):
    """A master dies. Its requests would be lost, so there are none."""
    c.load.pause()
    mark = c.events.mark()
    os.kill(children(c.pid)[0], signal.SIGKILL)
    c.events.wait(r"www/. \d ready", mark, timeout=LONG)
    c.load.go()
    return 0, ""


def shut_lane(c):
    """PHP shuts its listening socket down. Who waits there would be lost, so there is nobody."""
    c.load.pause()
    public = [one for pid in children(c.pid) for one in listeners(pid, c.is_public).values()]
    public[0].shutdown(socket.SHUT_RDWR)
    for one in public:
        one.close()


def lose_lane(c):
    """It is left for another one."""
    mark = c.events.mark()
    shut_lane(c)
    c.events.wait(r"www/. \d ready", mark, count=2, timeout=LONG)
    c.load.go()
    return 0, ""


# {name: (what happens, options of the Container)}
SCENES = {
    "roll": (roll, {}),
    "roll-unix": (roll, {"unix": True}),
    "roll-path": (roll, {"isolation": "path"}),
    "deploy": (deploy_and_back, {"linger": "500ms"}),
    "deploy-unix": (deploy_and_back, {"linger": "500ms", "unix": True}),
    "look": (look, {}),
    "one-by-one": (one_by_one, {}),
    "crash": (crash, {}),
    "sessions": (sessions, {"redis": True}),
    "events": (roll, {"on_event": "/bin/cat"}),
    "lost-lane": (lose_lane, {"unix": True}),
}
CAST = {
    "roll": "pid1 master program settings_run stores_run trial_run drain_run prime_run yield_run other",
    "roll-unix": "pid1 prime_run",
    "roll-path": "pid1 master settings_run",
    "deploy": "pid1 vigil_run other",
    "deploy-unix": "pid1",
    "look": "pid1",
    "one-by-one": "pid1 trial_run",
    "crash": "pid1",
    "sessions": "pid1 stores_run chain_run",
    "events": "pid1 notify_run",
    "lost-lane": "pid1 master trial_run drain_run",
}


def recorded_of(c, act):
    """[((who, call, place), how often)] of what happens when nothing fails."""
    c.faults.record()
    act(c)
    return c.faults.recorded().items()


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
    """One fault in what happens to a living twinit, see go_through()."""
    c.faults.arm(fault)
    mark = c.log.mark()
    found, code, said = [], 0, ""
    try:
        code, said = act(c)
    except (subprocess.TimeoutExpired, TookTooLong) as late:
        found.append("no end: %s" % late)
    fired = c.faults.disarm()
    found += c.complaints(fault.call, cut=fault.who == "trial_run" and "did not answer its ping" in said)
    found += unsaid(c, fault, mark) if fired else []
    if fired and code != 0 and (wrong := wrong_reason(fault, said)):
        found.append(wrong)
    return fired, found, "%d %s" % (code, " ".join(said.split())[-300:] if code else "")


@pytest.mark.parametrize("scene, who", [(scene, who) for scene, cast in CAST.items() for who in cast.split()])
def test_one_call_fails(living, count, dice, everything, scene, who):
    act, options = SCENES[scene]
    faults = chosen(count(scene), who, dice, everything, slow="linger" in options)
    go_through(faults, lambda fault: torture(living(**options), act, fault))


# --- the boot


def ends_well(c):
    """A complaint, when TERM does not end it as it should."""
    c.load.end()
    code = c.stop()
    return ["the stop ended with %d" % code] if code != 0 else []


def boot(c):
    """True when it is ready, False when it has ended."""
    c.start()
    c.until("the boot is over", lambda: not c.lives() or c.tell("health")[0] == 0, timeout=LONG)
    return c.lives()


# Errors that say nothing about what kernel and container allow, question/isolation.c.
OF_THE_MOMENT = ("EAGAIN", "ENOMEM", "EMFILE", "ENFILE", "ENOBUFS", "EINTR", "EBUSY")


def after_boot(c, fault, ready):
    """What is wrong with a boot in which something failed."""
    if ready:
        code, said = roll(c)
        found = ["the next roll: %s" % said] if code != 0 else []
        # Less than a namespace of the first kind has its reason.
        if not c.log.find(r"isolation (namespace$|.*; \w)") and c.log.find("isolation"):
            found.append("isolation is weaker, and nobody says why")
        if fault.who == "isolation_run" and fault.error in OF_THE_MOMENT and not c.log.find("isolation namespace$"):
            found.append("isolation is weaker for an error of the moment")
        return found + ends_well(c)
    code = c.wait()
    found = [] if code in EXIT_STATUSES else ["PID 1 ended with %d" % code]
    return found if c.log.find(r"twinit: error: .*\w") else found + ["it does not say why it ended"]


BOOTS = {"boot": {}, "boot-unix": {"unix": True}}
BOOT_CAST = {"boot": "pid1 isolation_run settings_run master trial_run", "boot-unix": "pid1"}


@pytest.fixture(scope="module")
def count_boot():
    """count_boot(scene): the calls of a boot."""
    counted = {}

    def of(scene):
        if scene not in counted:
            with Tortured(**BOOTS[scene]) as c:
                c.faults.record()
                assert boot(c), c.log.lines
                counted[scene] = c.faults.recorded()
        return counted[scene]

    return of


def torture_boot(options, fault):
    """One fault in a boot, see go_through()."""
    with Tortured(**options) as c:
        c.faults.arm(fault)
        ready = boot(c)
        fired = c.faults.disarm()
        return fired, after_boot(c, fault, ready), "ready" if ready else "%d %s" % (c.wait(), c.log.lines[-2:])


@pytest.mark.parametrize("scene, who", [(scene, who) for scene, cast in BOOT_CAST.items() for who in cast.split()])
def test_one_call_fails_in_the_boot(count_boot, dice, everything, scene, who):
    go_through(chosen(count_boot(scene), who, dice, everything), lambda fault: torture_boot(BOOTS[scene], fault))


def test_isolation_is_tried_again_while_there_are_no_processes():
    with Tortured() as c:
        c.faults.exhaust("processes", ["pid1"])
        c.start()
        c.until("it was tried twice", lambda: c.faults.get("refused") >= 2)
        c.faults.release()
        c.log.wait("twinit: ready")
        assert c.log.find("isolation namespace$"), c.log.lines
        assert not ends_well(c)


def test_a_boot_in_which_nobody_can_try_isolation_ends():
    with Tortured() as c:
        c.faults.exhaust("processes", ["pid1"])
        assert not boot(c)
        assert c.wait() == 78
        assert c.log.find("error: www: what isolation can be had cannot be found out: no more processes may be made")


# --- the stop


def stop(c):
    """TERM while a request is under way: the exit status, and whether the request was answered."""
    with c.begin() as request:
        c.events.wait("request")
        c.signal("TERM")
        c.log.wait("twinit: stopping|draining", timeout=LONG)  # a line may get lost
        answered = request.end() != ""
    return c.wait(timeout=LONG), answered


@pytest.fixture(scope="module")
def count_stop():
    """The calls of a stop."""
    with Tortured(pid1=False) as c:
        c.boot()
        c.faults.record()
        assert stop(c) == (0, True), c.log.lines
        return c.faults.recorded()


def torture_stop(fault):
    """One fault in a stop, see go_through()."""
    with Tortured(pid1=False) as c:
        c.boot()
        c.faults.arm(fault)
        code, answered = stop(c)
        fired, left = c.faults.disarm(), c.stubs()
    wrong = code != 0 or not answered or left
    story = "ended with %d, request answered: %s, left: %s" % (code, answered, left)
    return fired, [story] if wrong else [], story


@pytest.mark.parametrize("who", ["pid1", "drain_run"])
def test_one_call_fails_in_the_stop(count_stop, dice, everything, who):
    go_through(chosen(count_stop, who, dice, everything, slow=True), torture_stop)


# --- nothing is left of something


SCARCE = {
    "processes": "no more processes may be made",
    "memory": "died|memory",
    "descriptors": "Too many open files",
}
TURNS = 100  # of PID 1's loop, for a roll that is refused, and for a while in which nothing works


@pytest.mark.parametrize("spared", ["nobody", "pid1", "children"])
@pytest.mark.parametrize("what", SCARCE)
def test_it_runs_out_for_a_while(living, what, spared):
    c = living()
    mark = c.log.mark()
    c.faults.record()
    c.faults.exhaust(what, [] if spared == "nobody" else [spared])
    # Somebody asks whom PID 1 may not be able to take, and is not to be kept busy by.
    with c.background("status") as asking:
        c.signal("HUP")
        said = c.log.wait(r"roll refused.*|roll failed.*|release 1 is active.*", mark, timeout=LONG)[0]
        refused = c.faults.release()
        code, status = end_of(asking)
    turns = sum(count for (who, call, _), count in c.faults.recorded().items() if (who, call) == ("pid1", "epoll_wait"))
    print("%s, %s spared: %d calls failed, %d turns: %s; status %d" % (what, spared, refused, turns, said, code))
    if refused > 0:
        assert re.search(SCARCE[what], said), said
    else:
        assert (what, spared) == ("memory", "children"), "only PID 1 does without memory"
    assert code in (0, 1), status
    assert turns < TURNS, "PID 1 was awake %d times" % turns
    assert not c.complaints()


def test_a_client_whom_nobody_can_take_does_not_keep_pid1_awake(living):
    c = living()
    c.faults.exhaust("descriptors", ["children"])
    with c.background("status") as asking:
        with pytest.raises(subprocess.TimeoutExpired):
            asking.wait(1)
        refused = c.faults.release()
        code, status = end_of(asking)
    assert 2 <= refused < TURNS, "%d calls failed in a second" % refused
    assert code == 0, status
    assert not c.complaints()


@pytest.mark.parametrize("whom, calls", [("the session store", 0), ("PHP for a session", 1)])
def test_sessions_that_nobody_can_ask_are_said_so_at_once(living, whom, calls):
    c = living(redis=True, sessions_every="1h")
    # The store is asked in a process, then PHP.
    forks = [place for (who, call, place), _ in recorded_of(c, sessions) if (who, call) == ("pid1", "fork")]
    assert len(forks) == 1, forks
    c.faults.arm(Fault("pid1", "fork", forks[0], calls + 1, "EAGAIN"))
    code, said = order(c, "sessions")
    assert c.faults.disarm(), "nothing failed"
    assert (code, said) == (1, "twinit: www: cannot ask %s: no more processes may be made; raise the container's pids "
                               "limit, or ulimit -u\n" % whom)
    assert not c.complaints()


def test_a_lost_lane_is_left_as_soon_as_that_can_be(living):
    c = living(unix=True)
    mark, began = c.log.mark(), c.events.mark()
    c.faults.exhaust("descriptors", ["children"])
    shut_lane(c)
    c.log.wait("cannot prepare lane", mark, count=2)
    c.faults.release()
    c.events.wait(r"www/. \d ready", began, count=2)
    c.load.go()
    assert not c.complaints()


@pytest.mark.parametrize("what", SCARCE)
def test_a_master_dies_when_it_has_run_out(living, what):
    c = living()
    c.load.pause()
    mark = c.log.mark()
    c.faults.exhaust(what)
    os.kill(children(c.pid)[0], signal.SIGKILL)
    c.log.wait("was killed by signal 9", mark)
    c.log.wait("starting it again", mark, count=3, timeout=LONG)
    assert c.request() != "", "the other replica does not serve"
    c.faults.release()
    c.until_calm()
    c.load.go()
    assert not c.complaints()
