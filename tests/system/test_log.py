"""The log: each line of twinit is what doc/log.md promises, and FPM's lines pass as they are."""

import json
import os
import re
import signal
import socket

import pytest

from container import REPO, Request, limit

ALWAYS = {"time", "level", "event", "text"}
LINE_MAX = 4096
LINES = {"text": rb"twinit: [^\n]*\n", "json": rb'\{"time":"[^\n]*\n'}


def cells(line):
    """What stands in a row of a table."""
    return [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def documented():
    """{event: (level, a part of the sentence, whether it has an app)} of doc/log.md."""
    rows = (REPO / "doc" / "log.md").read_text(encoding="utf-8").partition("| event |")[2].splitlines()[2:]
    return {name.removesuffix(" *").strip("`"): (level, words, app)
            for name, level, words, app, _ in map(cells, rows)}


EVENTS = documented()


def strictly(pairs):
    """An object that has each key once."""
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def check(line):
    """The object of a line, which keeps all promises."""
    assert len(line) < LINE_MAX, line
    event = json.loads(line.decode("utf-8", "strict"), object_pairs_hook=strictly)
    assert set(event) - {"app"} == ALWAYS, line
    assert all(isinstance(value, str) for value in event.values()), line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]), line
    assert event["event"] in EVENTS, line
    level, words, app = EVENTS[event["event"]]
    assert event["level"] == level and words in event["text"], line
    assert "app" in event or app != "x", line
    assert "app" not in event or (app != "-" and event["text"].startswith(event["app"] + ": ")), line
    return event


def objects(c):
    """All that the log has by now; the stubs said nothing."""
    c.log.mark()
    *lines, rest = bytes(c.said).split(b"\n")
    assert rest == b""
    return [check(line) for line in lines]


def names(c):
    """The events of the log, in their order."""
    return [event["event"] for event in objects(c)]


def in_json(c):
    """Has it write JSON."""
    c.environment["TWINIT_LOG_FORMAT"] = "json"
    return c


def until(c, name, count=1):
    """Waits for an event."""
    c.log.wait('"event":"%s"' % name, count=count)


def boot_json(c):
    """Starts twinit; returns when it is ready."""
    in_json(c).start()
    until(c, "ready")
    return c


def literals():
    """Every string of the program, those in pieces put together."""
    source = "\n".join(path.read_text() for path in sorted((REPO / "src").rglob("*.c")))
    joined = re.sub(r'"\s*\n\s*"', "", source)
    return "\n".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', joined))


def test_the_words_to_grep_for_are_in_the_program():
    there = literals()
    missing = {name: words for name, (_, words, _) in EVENTS.items() if words not in there}
    assert len(EVENTS) > 70 and not missing, missing


# --- JSON

def test_each_line_of_a_life_is_an_object_as_documented(make):
    c = boot_json(make(linger=limit(300), drain_timeout=limit(300)))
    c.deploy(2)
    with Request(c.address):
        c.signal("HUP")
        until(c, "drain-late")
        until(c, "roll-done")
    c.behave("tt=fail")
    c.signal("HUP")
    until(c, "roll-refused")
    c.behave("g1:die")
    c.deploy(1)
    c.signal("HUP")
    until(c, "roll-failed")
    os.kill(c.newest("www/2 2"), signal.SIGKILL)
    until(c, "replica-back")
    c.behave()
    c.signal("HUP")
    until(c, "roll-done", count=2)
    assert c.tell("stop", "www", "2")[0] == 0
    assert c.tell("start", "www", "2")[0] == 0
    assert c.stop() == 0
    seen = names(c)
    assert {"started", "isolation", "ready", "replica-ready", "roll-started", "cutover", "watching", "draining",
            "drain-late", "roll-done", "roll-refused", "replica-failed", "roll-failed", "replica-crashed",
            "replica-back", "replica-stopped", "stopping", "stopped"} <= set(seen), seen
    assert seen[0] == "started" and seen[-1] == "stopped"
    assert not {"replica-starting", "replica-stopping", "message"} & set(seen), seen


def test_a_release_that_is_taken_back_is_told_in_objects(make):
    c = boot_json(make(linger="60s"))
    c.deploy(2)
    c.signal("HUP")
    until(c, "watching")
    os.kill(c.newest("www/1 2"), signal.SIGKILL)
    until(c, "roll-taken-back")
    assert c.stop() == 0
    assert {"back", "roll-taken-back"} <= set(names(c))


FAILURES = {
    "a value": ({"TWINIT_APP_REPLICAS": "many"}, "", ["config-refused"]),
    "a variable that does not exist, and a value": (
        {"TWINIT_NONE": "1", "TWINIT_APP_REPLICAS": "many"}, "", ["variable-ignored", "config-refused"]),
    "the run directory": ({"TWINIT_RUN_DIR": "/proc/none"}, "", ["run-dir-unusable"]),
    "FPM's configuration": ({}, "tt=fail", ["started", "boot-failed", "stopped"]),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_start_that_fails_says_so_in_objects(make, what):
    environment, behaviour, expected = FAILURES[what]
    c = make()
    c.environment = {"TWINIT_LOG_FORMAT": "json", **environment, **{
        key: value for key, value in c.environment.items() if key not in environment}}
    c.behave(behaviour)
    c.start()
    assert c.wait() == 78
    assert [name for name in names(c) if name != "isolation"] == expected


@pytest.mark.parametrize("text", ["[twinit]\nlog_format = json\n", "[twinit]\nlog_format = json\nnone = 1\n"])
def test_the_file_may_ask_for_objects_too(make, text):
    c = make()
    c.write("twinit.conf", text)
    c.environment["TWINIT_NONE"] = "1"
    c.start("run", "--config", str(c.directory / "twinit.conf"))
    if "none" in text:
        assert c.wait() == 78
        assert names(c) == ["config-refused"]
    else:
        until(c, "ready")
        assert c.stop() == 0
        assert names(c)[:2] == ["variable-ignored", "started"]


def test_a_command_that_cannot_run_is_an_object(make):
    c = in_json(make())
    c.start("--", "/none/such")
    assert c.wait() == 127
    assert names(c) == ["command-failed"]


ODD = b"1 \xff\xfe \"\\ \x01\x1b[31m\n\t\xc3\xbc \xed\xa0\x80 '"


def test_names_that_are_no_text_do_not_break_a_line(make):
    c = make(replicas=1)
    c.environment[os.fsdecode(b"TWINIT_" + ODD.replace(b"=", b""))] = "1"
    odd = os.fsencode(c.directory) + b"/app/releases/" + ODD
    os.mkdir(odd)
    os.mkdir(odd + b"/public")
    boot_json(c)
    link = os.fsencode(c.directory) + b"/app/current"
    os.unlink(link)
    os.symlink(b"releases/" + ODD, link)
    c.signal("HUP")
    until(c, "cutover")
    until(c, "roll-done")
    assert c.stop() == 0
    events = objects(c)
    said = next(event["text"] for event in events if event["event"] == "cutover")
    assert said == "www: cutover to release 1 ?? \"\\ \x01\x1b[31m\n\t\u00fc ??? '", said
    assert "TWINIT_1 ?? " in next(event["text"] for event in events if event["event"] == "variable-ignored")


def test_a_very_long_line_is_an_object(make):
    """One that reaches the limit takes more than a configuration can hold: tests/unit/util/test_log.c."""
    c = make(replicas=1)
    c.environment["TWINIT_ON_EVENT"] = "/bin/false " + "\"\\\xfc" * 240
    boot_json(c)
    until(c, "on-event-failed")
    assert c.stop() == 0
    said = next(event["text"] for event in objects(c) if event["event"] == "on-event-failed")
    assert said.startswith("on_event: /bin/false " + "\"\\\xfc" * 240 + " exited with status 1"), said


def test_what_the_program_of_on_event_prints_does_not_break_a_line(make):
    c = make(replicas=1)
    (c.directory / "printed").write_bytes(b"\xff\xc3\"\\\x01\xc3\xbc\n" + b"\xe2\x82\xac" * 700 + b"\nno newline")
    c.write("hook", '#!/bin/sh\n[ "$TWINIT_EVENT" != ready ] || cat "$STUB_DIR/printed"\n')
    (c.directory / "hook").chmod(0o755)
    c.environment["TWINIT_ON_EVENT"] = str(c.directory / "hook")
    boot_json(c)
    c.log.wait("no newline")
    assert c.stop() == 0
    said = [event["text"] for event in objects(c) if event["event"] == "on-event-output"]
    assert said[0] == 'on_event: ??"\\\x01\u00fc' and said[-1] == "on_event: no newline", said
    # In pieces, whose ends may be in a character.
    assert all(set(text) <= set("on_event: \u20ac?") for text in said[1:-1]) and len(said) == 5, said


def test_a_line_in_words_is_one_line_that_no_terminal_obeys(make):
    c = make(replicas=1)
    c.environment[os.fsdecode(b"TWINIT_" + ODD)] = "1"
    os.makedirs(os.fsencode(c.directory) + b"/app/releases/" + ODD + b"/public")
    c.boot()
    link = os.fsencode(c.directory) + b"/app/current"
    os.unlink(link)
    os.symlink(b"releases/" + ODD, link)
    c.signal("HUP")
    c.log.wait("is active on 1 replica")
    assert c.stop() == 0
    *lines, rest = bytes(c.said).split(b"\n")
    assert rest == b"" and all(line.startswith(b"twinit: ") for line in lines), lines
    assert not re.search(rb"[\x00-\x1f\x7f]", b"".join(lines)), lines


# --- FPM's own

WORDS = {
    "lines": b"[21-Nov-2026 10:00:00] NOTICE: fpm is running, pid 7\n[21-Nov-2026 10:00:00] WARNING: \tx\n",
    "no last newline": b"[21-Nov-2026 10:00:00] NOTICE: and then",
    "NUL, control and no UTF-8": bytes(range(256)) * 2,
    "a very long one": b"x" * 300000 + b"\n",
    "what looks like ours": b'twinit-like: {"level":"error"}\n{"event":"ready","text":"\xff',
}


def over_a_pipe(c):
    """Masters open twinit's stderr themselves."""
    c.start()


def over_a_socket(c):
    """Nobody can open a socket: a helper copies."""
    ours, c.stderr = socket.socketpair()
    c.open_log(ours)
    c.start()
    c.stderr.close()
    return ours


def heard(c, words, form):
    """The stubs' bytes of what came: without the lines of twinit, which may stand anywhere between."""
    c.log.mark()
    return re.sub(LINES[form], b"", bytes(c.said)).count(words)


@pytest.mark.parametrize("what", WORDS)
@pytest.mark.parametrize("way", [over_a_pipe, over_a_socket])
@pytest.mark.parametrize("form", LINES)
def test_what_masters_write_passes_byte_for_byte(make, form, way, what):
    c = make(replicas=1, linger="60s")  # so the second master's goes through a helper in any case
    c.environment["TWINIT_LOG_FORMAT"] = form
    words = b"<" + WORDS[what] + b">"
    (c.directory / "words").write_bytes(words)
    c.behave("says")
    ours = way(c)
    c.until("it is ready", lambda: c.tell("health")[0] == 0)
    c.until("the first master's words", lambda: heard(c, words, form) == 1)
    c.deploy(2)
    c.signal("HUP")
    c.until("the second master's words", lambda: heard(c, words, form) == 2)
    assert c.stop() == 0
    c.log.mark()
    rest = re.sub(LINES[form], b"", bytes(c.said))
    assert rest == words * 2, rest[:400]
    if ours:
        ours.close()
