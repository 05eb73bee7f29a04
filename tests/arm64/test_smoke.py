"""twinit for arm64: does it do there what the other tiers see it do here?"""

import os
import signal

import pytest

import container as machinery

VERSION = (machinery.REPO / "VERSION").read_text().strip()


def test_it_is_for_arm64():
    header = machinery.binary().read_bytes()[:20]
    assert header[:4] == b"\x7fELF" and int.from_bytes(header[18:20], "little") == 183, header


def test_version_and_help(twinit):
    assert twinit("version").stdout == "twinit %s\n" % VERSION
    assert "rollback" in twinit("help").stdout


def test_what_it_does_not_know_is_an_error(twinit):
    done = twinit("--unknown")
    assert (done.returncode, done.stdout) == (64, "twinit: unknown option '--unknown'; see twinit help\n")


def test_a_bad_setting_is_an_error(twinit):
    done = twinit(env={**os.environ, "TWINIT_APP_REPLICAS": "many"})
    assert done.returncode == 78 and "TWINIT_APP_REPLICAS" in done.stdout, done.stdout


@pytest.mark.parametrize("command, status", [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137)])
def test_plain_init_ends_as_its_command_does(as_init, command, status):
    process = as_init("sh", "-c", command)
    assert process.wait(machinery.PATIENCE) == status


def test_plain_init_passes_signals_on_and_collects_orphans(as_init):
    script = "trap 'echo got it; exit 7' TERM; (sleep 0 & ) ; echo begun; while :; do sleep 60 & wait; done"
    process = as_init("sh", "-c", script)
    assert process.stdout.readline() == "begun\n"
    os.kill(machinery.children(process.pid)[0], signal.SIGTERM)
    assert process.stdout.readline() == "got it\n"
    assert process.wait(machinery.PATIENCE) == 7


def test_masters_serve_roll_and_stop(make):
    c = make().boot()
    assert c.release() == "1"
    c.deploy(2)
    assert "release 2 is active" in c.roll()
    assert c.release() == "2"
    status = c.app()
    assert (status["ready"], status["release"]) == (2, "2")
    assert c.stop() == 0


def test_a_crash_is_mended(make):
    c = make(replicas=1).boot()
    mark = c.events.mark()
    assert c.request("/crash") == ""
    c.events.wait("www/1 1 ready", mark)
    assert c.release() == "1"


def test_without_seccomp_nobody_is_started(make):
    c = make(filters=True).start()
    c.log.wait("twinit: error: .*died")
    assert c.wait() == 78
    assert not c.events.find(" start "), "a master runs without its filter"
