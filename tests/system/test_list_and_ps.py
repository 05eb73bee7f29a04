"""`twinit list` and `twinit ps`: who is there."""

import json
import os
import signal


def processes(text):
    """[(what, process)] of each line of `twinit ps`, indentation and all."""
    titles = text.splitlines()[0]
    what, release, process = (titles.index(word) for word in ("WHAT", "RELEASE", "PROCESS"))
    return [(line[what:release].strip(), line[process:]) for line in text.splitlines()[1:]]


def test_list_has_a_line_for_each_replica_there_shall_be(boot):
    c = boot(replicas=3)
    assert c.tell("stop", "www", "2")[0] == 0
    code, text = c.tell("list")
    lines = text.splitlines()
    assert code == 0 and len(lines) == 3, text
    assert lines[0].startswith("www/1 ready release 1, pid ") and lines[1] == "www/2 stopped", text
    assert c.tell("list", "-q") == (0, "www/1\nwww/2\nwww/3\n")
    code, text = c.tell("list", "--json")
    found = json.loads(text)
    assert code == 0
    assert [(one["app"], one["replica"], one["state"], one["release"]) for one in found] == [
        ("www", 1, "ready", "1"), ("www", 2, "stopped", None), ("www", 3, "ready", "1")]
    assert found[1]["pid"] is None and found[0]["pid"] > 1


def test_ps_is_a_tree_of_masters_and_workers(make):
    c = make()
    c.behave("workers=2")
    c.boot()
    c.events.wait("worker", count=4)
    code, text = c.inside("ps")
    assert code == 0 and max(map(len, text.splitlines())) <= 80, text
    seen = processes(text)
    assert [what for what, _ in seen] == ["twinit", "www/1", "worker", "worker", "www/2", "worker", "worker"], text
    depths = [len(process) - len(process.lstrip()) for _, process in seen]
    assert depths == [0, 2, 4, 4, 2, 4, 4], text


def test_ps_shows_both_sides_of_a_roll_and_its_helpers(boot):
    c = boot()
    with c.begin() as slow:
        c.deploy(2)
        c.signal("HUP")
        c.log.wait("draining release 1 ... 1 request")
        whats = [what for what, _ in processes(c.inside("ps")[1])]
        assert {"www/1", "www/2"} < set(whats) and any(what.endswith(" old") for what in whats), whats
        assert "helper" in whats, "a drain has one: %s" % whats
        assert slow.end()
    c.log.wait("release 2 is active")


def test_ps_shows_orphans(make):
    c = make()
    c.behave("r1:workers=1 stubborn")
    c.boot()
    c.events.wait("worker")
    os.kill(c.started("www/1"), signal.SIGKILL)
    c.until("the worker is an orphan", lambda: "orphan" in [what for what, _ in processes(c.inside("ps")[1])])


def test_ps_in_another_namespace_says_where_to_run_it(boot):
    code, text = boot().tell("ps")
    assert code == 1 and "in another PID namespace" in text, text


def test_usage_and_nobody_there(make):
    c = make()
    for words in ("list", "--xml"), ("list", "www"), ("ps", "--json"), ("metrics", "www"):
        code, text = c.tell(*words)
        assert code == 64 and "usage: twinit %s" % words[0] in text, text
    for words in ("list",), ("list", "-q"), ("ps",), ("metrics",), ("status", "-q"):
        code, text = c.tell(*words)
        assert code == 1 and text.startswith("twinit: no running twinit at %s" % c.run_dir), text


def test_while_masters_are_stopped_list_and_ps_answer(boot):
    c = boot()
    pids = [c.started("www/%d" % number) for number in (1, 2)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    assert len(c.tell("list")[1].splitlines()) == 2
    assert c.inside("ps")[0] == 0
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
