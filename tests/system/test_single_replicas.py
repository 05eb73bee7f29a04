"""Single replicas, stopped and started by an operator."""

import os
import signal
from pathlib import Path

from container import end_of


def test_a_stopped_replica_stays_away_until_it_is_started(boot):
    c = boot()
    assert c.tell("stop", "www", "2") == (0, "www: stopping replica 2 ... stopped\n")
    assert sorted(c.masters()) == [("active", 1)]
    assert {c.request().split()[1] for _ in range(10)} == {"www/1"}
    code, text = c.tell("start", "www", "2")
    assert code == 0, text
    assert sorted(c.masters()) == [("active", 1), ("active", 2)]


def test_the_last_one_is_stopped_by_force_only(boot):
    c = boot(replicas=1)
    code, text = c.tell("stop", "www")
    assert code == 1 and "--force" in text
    assert c.release() == "1"
    assert c.tell("stop", "--force", "www")[0] == 0
    assert c.tell("health")[0] == 1
    with c.begin() as waiting:
        assert c.tell("start", "all")[0] == 0
        assert waiting.end().startswith("1 ")


def test_a_start_while_it_is_still_stopping_brings_it_back(boot, command):
    c = boot()
    c.behave("r2:no-quit")
    stopping = command(c, "stop", "www", "2")
    c.events.wait("www/2 .*quit")
    started = c.events.mark()
    starting = command(c, "start", "www", "2")
    code, text = end_of(stopping)
    assert code == 1 and "somebody else wants it otherwise" in text
    c.behave("")
    os.kill(c.newest("www/2"), signal.SIGKILL)
    assert end_of(starting)[0] == 0
    c.events.wait("www/2 . start", started)
    assert sorted(c.masters()) == [("active", 1), ("active", 2)]


def test_one_that_a_roll_leaves_out_is_not_waited_for(make, command):
    c = make(replicas=3)
    config = c.directory / "twinit.conf"
    config.write_text("[app www]\nreplicas = 3\n")
    del c.environment["TWINIT_APP_REPLICAS"]
    c.environment["TWINIT_CONFIG"] = str(config)
    c.boot()
    c.behave("r3:no-quit")
    restarting = command(c, "restart", "www", "3")
    c.events.wait("www/3 .*quit")
    config.write_text("[app www]\nreplicas = 2\n")
    c.signal("HUP")
    code, text = end_of(restarting)
    assert code == 1 and "fewer replicas" in text


def test_a_restart_that_ends_during_a_roll_without_surge_does_not_hold_it_up(make, command):
    c = make(replicas=3, surge=0, drain_timeout="60s")
    c.boot()
    c.behave("r2:no-quit", "r3:no-quit")
    command(c, "restart", "www", "2")
    c.events.wait("www/2 .*quit")
    c.deploy(2)
    rolling = command(c, "restart")
    c.events.wait("www/3 .*quit")
    # Both are gone when twinit looks.
    c.behave("")
    both = [c.newest("www/2"), c.newest("www/3")]
    os.kill(c.pid, signal.SIGSTOP)
    for pid in both:
        os.kill(pid, signal.SIGKILL)
        c.until("it is a zombie", lambda: Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0] == "Z")
    os.kill(c.pid, signal.SIGCONT)
    code, text = end_of(rolling)
    assert code == 0, text
    assert c.release() == "2"
    assert {m["release"] for m in c.masters().values()} == {"2"}
    assert len(c.events.find("www/3 1 start")) == 1, "the room that was made was taken again"
