"""What leads back: the old masters that linger, `twinit rollback`, and the release symlink after a deploy."""

import contextlib
import ctypes
import os
import signal
import struct
import threading
from pathlib import Path

import pytest

from container import PATIENCE, Container, end_of


def link_of(c):
    """What the release symlink says."""
    return os.readlink(c.directory / "app" / "current")


def new_release(c, number):
    """One more directory with a release."""
    release = c.directory / "app" / "releases" / str(number)
    (release / "public").mkdir(parents=True)
    (release / "release.txt").write_text("%d\n" % number)


# --- linger


@pytest.mark.parametrize("unix", [False, True])
@pytest.mark.parametrize("replicas", [1, 2])
def test_a_new_master_that_dies_in_the_linger_takes_its_release_back(make, unix, replicas):
    c = make(unix=unix, replicas=replicas, linger="60s")
    c.boot()
    c.deploy(2)
    c.signal("HUP")
    c.log.wait("cutover")
    assert c.release() == "2"
    os.kill(c.newest("www/1 2"), signal.SIGKILL)
    c.log.wait(r"back from release 2 to 1: replica 1 was killed by signal 9")
    assert c.release() == "1"
    c.until("the roll is over", lambda: c.app()["roll"] == "idle")
    assert c.app()["last_roll"] == "taken-back"
    assert {m["release"] for m in c.masters().values()} == {"1"}
    # The masters that lingered, and no new ones.
    assert len(c.events.find("www/. 1 start")) == replicas


def test_an_old_master_that_dies_in_the_linger_comes_back_and_leads_back(boot):
    c = boot(replicas=1, linger="60s")
    c.deploy(2)
    c.signal("HUP")
    c.log.wait("cutover")
    mark = c.events.mark()
    os.kill(c.newest("www/1 1"), signal.SIGKILL)
    c.events.wait("www/1 1 ready", mark)
    assert c.release() == "2"
    code, text = c.tell("rollback")
    assert code == 0, text
    assert c.release() == "1"


def test_the_linger_ends_by_itself_and_by_one_more_roll(boot):
    c = boot(linger="300ms")
    c.deploy(2)
    c.roll()
    assert {m["release"] for m in c.masters().values()} == {"2"}
    c.set(linger="60s")
    assert c.tell("rollback")[0] == 0
    assert c.release() == "1"


def test_a_cutover_that_fails_half_way_leaves_all_addresses_where_they_were(make):
    c = make(unix=True, pools=2)
    c.boot()
    first, second = map(Path, c.addresses)
    aside = second.with_name("aside")
    second.rename(aside)
    second.mkdir()
    c.deploy(2)
    code, text = c.tell("restart")
    assert code == 1 and "release 1 serves on: cannot move the connections to the new masters" in text
    second.rmdir()
    aside.rename(second)
    for address in first, second:
        assert c.request(address=str(address)).startswith("1 ")
    c.roll()
    for address in first, second:
        assert c.request(address=str(address)).startswith("2 ")
    assert not list(c.directory.glob("sock?.?")), "names of lanes are left"


# --- rollback


def test_a_rollback_inside_the_linger_names_what_the_link_said(boot):
    c = boot(linger="60s")
    new_release(c, 3)
    assert c.tell("deploy", "--no-wait", "2")[0] == 0
    c.log.wait("cutover")
    c.deploy(3)
    c.signal("HUP")
    c.log.wait("cutover", count=2)
    code, text = c.tell("rollback")
    assert code == 0, text
    assert "-> releases/2 (was releases/3)" in text
    assert link_of(c) == "releases/2"
    assert c.release() == "2"


def test_a_rollback_need_not_be_waited_for(boot):
    c = boot(linger="60s", drain_timeout="60s")
    c.deploy(2)
    c.signal("HUP")
    c.log.wait("cutover")
    with c.begin() as slow:
        assert c.tell("rollback", "--no-wait") == (0, "twinit: www: going back\n")
        c.log.wait("back from release 2 to 1")
        assert c.release() == "1"
        assert slow.end().startswith("2 ")
    c.until("the link is back", lambda: link_of(c) == "releases/1")


def test_a_rollback_without_linger_is_a_roll_and_not_repeated(boot):
    c = boot()
    assert c.tell("deploy", "2")[0] == 0
    code, text = c.tell("rollback")
    assert code == 0 and "release 1 is active" in text
    assert (c.release(), link_of(c)) == ("1", "releases/1")
    code, text = c.tell("rollback")
    assert code == 1 and "no release before this one is known" in text


# --- the link


def test_a_bad_deploy_leaves_no_trace(boot):
    c = boot()
    c.behave("g2:die")
    code, text = c.tell("deploy", "2")
    assert code == 1 and "exited with status 1" in text
    assert (c.release(), link_of(c)) == ("1", "releases/1")


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_a_stop_during_a_deploy_leaves_the_link_at_what_served(boot, command, name):
    c = boot()
    c.behave("g2:mute")
    deploying = command(c, "deploy", "2")
    c.events.wait("www/1 2 up")
    assert link_of(c) == "releases/2"
    c.signal(name)
    assert end_of(deploying)[0] == 1
    assert c.wait() == 0
    assert link_of(c) == "releases/1"


def test_a_stop_after_the_cutover_leaves_the_link_at_what_serves(boot, command):
    c = boot(linger="60s")
    deploying = command(c, "deploy", "2")
    c.log.wait("cutover")
    assert c.stop() == 0
    assert end_of(deploying)[0] == 1
    assert link_of(c) == "releases/2"


class SilentFileSystem:
    """A file system that does not answer: its daemon is us, and says hello and nothing else.

    Who asks it something waits in the kernel, where SIGKILL does not reach him, until close().
    """

    def __init__(self, at):
        self.at = at
        libc = ctypes.CDLL(None, use_errno=True)
        self.libc = libc
        self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % self.fd
        if libc.mount(b"silent", str(at).encode(), b"fuse", 0, options.encode()) < 0:
            raise OSError(ctypes.get_errno(), "cannot mount a FUSE")
        self.asked = threading.Event()
        hello = os.read(self.fd, 1 << 17)
        unique = struct.unpack_from("=IIQ", hello)[2]
        answer = struct.pack("=IIIIHHIIHHI7I", 7, 31, 65536, 0, 0, 0, 1 << 16, 1, 0, 0, 0, *[0] * 7)
        os.write(self.fd, struct.pack("=IiQ", 16 + len(answer), 0, unique) + answer)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        """Takes questions, so that they cannot be taken back."""
        with contextlib.suppress(OSError):
            while os.read(self.fd, 1 << 17):
                self.asked.set()

    def close(self):
        """Everybody who waits gets an error."""
        self.libc.umount2(str(self.at).encode(), 1 | 2)  # MNT_FORCE | MNT_DETACH
        self.thread.join(PATIENCE)
        os.close(self.fd)


@pytest.mark.slow
def test_a_deploy_to_a_file_system_that_does_not_answer_ends():
    with Container() as c:
        at = c.directory / "app" / "releases" / "3"
        at.mkdir()
        with contextlib.closing(SilentFileSystem(at)) as silent:
            c.boot()
            code, text = c.tell("deploy", "3", timeout=60)
            assert silent.asked.is_set()
            assert code == 1 and "the file system of the release does not answer" in text
            assert (c.release(), link_of(c)) == ("1", "releases/1")
            assert c.tell("deploy", "2")[0] == 0
            assert c.release() == "2"
