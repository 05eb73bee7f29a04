"""`twinit status`: what it shows, how wide it is, and that no master keeps it waiting."""

import json
import os
import pty
import signal
import subprocess
import time

import pytest

from container import binary


def table(text):
    """{replica: {title: cell}} of the table."""
    lines = text.split("\n\n")[1].splitlines()
    titles = lines[0].split()
    return {row.split()[0]: dict(zip(titles, row.split())) for row in lines[1:]}


def on_a_terminal(c, *words, **environment):
    """What a command shows there."""
    leader, follower = pty.openpty()
    with subprocess.Popen([binary(), *words], env={**c.environment, "TERM": "xterm", **environment},
                          stdin=subprocess.DEVNULL, stdout=follower):
        os.close(follower)
        shown = b""
        try:
            while more := os.read(leader, 4096):
                shown += more
        except OSError:  # its end
            pass
    os.close(leader)
    return shown.decode()


def test_the_table_shows_each_replica(boot):
    c = boot()
    with c.begin() as request:
        c.until("a worker is busy", lambda: c.app()["workers"]["active"] == 1)
        code, text = c.tell("status")
        assert code == 0
        rows = table(text)
        assert set(rows) == {"www/1", "www/2"}
        assert sorted(row["BUSY/IDLE"] for row in rows.values()) == ["0/1", "1/1"], text
        for row in rows.values():
            assert (row["STATE"], row["LANE"], row["RELEASE"], row["QUEUE"]) == ("ready", "A", "1", "0"), text
            assert row["PING"].endswith("ms") and row["AGE"].endswith("s"), text
        assert request.end()


def test_the_table_fits_80_columns_whatever_the_names(boot):
    name = "release-with-a-name-that-is-far-too-long-for-any-table-2026"
    c = boot(replicas=4)
    (c.directory / "app" / "releases" / name / "public").mkdir(parents=True)
    c.deploy(name)
    c.roll()
    code, text = c.tell("status")
    assert code == 0
    lines = text.split("\n\n")[1].splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= 80, text
    assert all(" release-" in line and "~ " in line for line in lines[1:]), text


def test_a_roll_shows_its_replicas_its_outcome_and_its_steps(boot):
    c = boot()
    with c.begin() as slow:
        c.deploy(2)
        c.signal("HUP")
        c.log.wait("draining release 1 ... 1 request")
        assert "www/1 old" in c.tell("status")[1] or "www/2 old" in c.tell("status")[1]
        slow.end()
    c.log.wait("release 2 is active")
    c.behave("g1:die")
    c.deploy(1)
    assert c.tell("restart")[0] == 1
    app = c.app()
    assert app["rolls_by_outcome"] == {"done": 1, "refused": 0, "failed": 1, "taken-back": 0}
    assert app["last_roll"] == "failed" and 0 < app["last_roll_ms"] < 60000 and app["last_roll_ago_ms"] < 60000
    assert sum(app["last_roll_steps_ms"].values()) <= app["last_roll_ms"] + 10
    assert app["crashes"] >= 1
    assert "rolls 2, last failed in " in c.tell("status")[1]


@pytest.mark.parametrize("how", ["silent", "stopped"])
def test_masters_that_do_not_answer_cost_one_second_together(boot, how):
    c = boot(replicas=4)
    stopped = [c.started("www/%d" % number) for number in range(1, 5)]
    if how == "silent":
        c.behave("status=silent")
    else:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    code, text = c.tell("status")
    took = time.monotonic() - began
    assert code == 0
    assert [row["PING"] for row in table(text).values()] == ["none"] * 4, text
    assert took < 3, "one after the other would have taken 4 s, this took %.1f" % took
    app = c.app()
    assert [m["workers"] for m in app["masters"]] == [None] * 4
    assert [m["answers"] for m in app["masters"]] == [False] * 4
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    c.behave("")
    c.until("they answer again", lambda: all(m["answers"] for m in c.app()["masters"]))


def test_garbage_on_the_status_page_is_no_answer(boot):
    c = boot()
    for how in "garbage", "huge":
        c.behave("status=" + how)
        code, text = c.tell("status")
        assert code == 0 and [row["PING"] for row in table(text).values()] == ["none"] * 2, text


def test_one_replica_of_one_app(boot):
    c = boot()
    code, text = c.tell("status", "www", "2")
    assert code == 0 and set(table(text)) == {"www/2"}
    code, text = c.tell("status", "--json", "www", "1")
    assert code == 0 and [m["replica"] for m in json.loads(text)["apps"][0]["masters"]] == [1]
    for words, why in ((("www", "3"), "app 'www' has no replica 3"), (("shop",), "no app is called 'shop'"),
                       (("www", "x"), "no number of a replica"), (("--xml",), "unknown option"),
                       (("www", "1", "2"), "unexpected argument")):
        code, text = c.tell("status", *words)
        assert code == 64 and why in text, text


def test_quiet_is_an_exit_status_and_nothing_else(boot):
    c = boot()
    assert c.tell("stop", "www", "1")[0] == 0
    assert c.tell("status", "-q") == (0, "")
    assert c.tell("status", "-q", "www") == (0, "")
    assert c.tell("status", "-q", "www", "1") == (1, "")
    assert c.tell("status", "-q", "www", "2") == (0, "")
    assert c.tell("stop", "--force", "all")[0] == 0
    assert c.tell("status", "-q") == (1, "")
    assert c.tell("status", "-q", "www") == (1, "")


def test_memory_is_of_the_master_and_its_workers(boot):
    c = boot()
    assert [m["memory_bytes"] for m in c.app()["masters"]] == [None, None], "pids of another namespace were looked up"
    code, text = c.inside("status", "--json")
    assert code == 0
    for master in json.loads(text)["apps"][0]["masters"]:
        assert 10000 < master["memory_bytes"] < 100 << 20 and master["processes"] == 1, master
    code, text = c.inside("status")
    assert code == 0 and all(row["MEM"][-1] in "kM" for row in table(text).values()), text


def test_colours_are_for_terminals_that_want_them(boot):
    c = boot()
    assert "\x1b" not in c.tell("status")[1]
    assert "\x1b[32mready" in on_a_terminal(c, "status")
    assert "\x1b" not in on_a_terminal(c, "status", NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(c, "status", TERM="dumb")


def test_while_it_boots_and_while_it_stops_it_is_not_healthy(make):
    c = make(stop_timeout="15s")
    c.behave("tt=wait")
    c.start()
    c.until("it answers", lambda: c.tell("status")[0] == 0)
    code, text = c.tell("status")
    assert code == 0 and "starting, unhealthy: starting" in text and "0 of 2 replicas ready" in text, text
    assert c.tell("status", "-q") == (1, "") == c.tell("status", "-q", "www")
    c.behave("")
    c.log.wait("twinit: ready: ")
    assert c.tell("status", "-q", "www") == (0, "")
    with c.begin() as slow:
        c.until("a worker is busy", lambda: c.app()["workers"]["active"] == 1)
        c.signal("TERM")
        c.until("it stops", lambda: "stopping" in c.tell("status")[1])
        assert c.tell("status", "-q", "www") == (1, "")
        assert slow.end()
    assert c.wait() == 0
