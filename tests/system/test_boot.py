"""From nothing to ready, or to one sentence and an exit status."""

import os
import re
import signal
import socket

import pytest

CONFIG, CRASHING, SESSIONS = 78, 70, 69


def fails(container, status, sentence):
    """It ends by itself with this status, and the log says why."""
    container.start()
    assert container.wait() == status
    container.log.wait(r"twinit: error: .*" + sentence)
    assert not (container.run_dir / "control").exists()


CONFIG_FAILURES = {
    "a missing binary": (
        {"php_fpm": "/nonexistent/php-fpm"}, "",
        r"www: cannot find the PHP-FPM binary '/nonexistent/php-fpm'.*; install php-fpm or set php_fpm"),
    "a binary that is no FPM": ({"php_fpm": "/bin/true"}, "", r"www: '/bin/true' -i\b.* status 0"),
    "an FPM that cannot show its settings": ({}, "i=fail", r"www: '.*stub-fpm' -i\b.* status 78.*unknown entry"),
    "settings that are garbage": ({}, "i=garbage", r"www: '.*stub-fpm' -i\b.* status 0"),
    "settings that never end": ({}, "i=huge", r"www: '.*stub-fpm' -i\b.* status 153"),
    "a missing FPM configuration": (
        {"fpm_config": "/nonexistent/fpm.conf"}, "",
        r"www: cannot read fpm_config '/nonexistent/fpm.conf': No such file or directory"),
    "a mistake in the FPM configuration": ({}, "tt=fail", r"www: \[/etc/stub.conf:12\] unknown entry 'lsten'$"),
    "-tt that prints garbage": ({}, "tt=garbage", r"www: php-fpm -tt did not say what is wrong"),
    "-tt that prints nothing": ({}, "tt=empty", r"www: php-fpm -tt did not say what is wrong"),
    "-tt that crashes": ({}, "tt=crash", r"www: php-fpm -tt "),
    "-tt that prints without end": ({}, "tt=huge", r"www: "),
    "a release link that points nowhere": (
        {"release": "/nonexistent/current"}, "", r"www: release '/nonexistent/current': No such file or directory"),
    "a release that is no link": ({"release": "/usr/bin"}, "", r"www: release '/usr/bin' is not a symlink"),
}


@pytest.mark.parametrize("what", CONFIG_FAILURES)
def test_ends_with_a_sentence_and_78_and_starts_nothing(make, what):
    options, behaviour, sentence = CONFIG_FAILURES[what]
    c = make(**options)
    c.behave(behaviour)
    fails(c, CONFIG, sentence)
    assert not c.events.find(" start ")


def test_a_release_link_to_a_missing_directory_names_it(make):
    c = make()
    c.deploy(7)
    fails(c, CONFIG, r"www: release '.*/current' points to 'releases/7', which does not exist; point it to a release")


@pytest.mark.parametrize("user, sentence", [
    ("root", "pool www: user is root, as which twinit runs no PHP"),
    ("no-such-user", "pool www: unknown user 'no-such-user'"),
    ("undefined", "pool www: unknown user ''"),
])
def test_a_user_that_cannot_be(make, user, sentence):
    c = make()
    c.write_dump(user=user)
    fails(c, CONFIG, sentence)


def test_an_address_in_use(make):
    c = make()
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(c.address)
        stranger.listen()
        fails(c, CONFIG, r"www: pool www cannot listen on 127.0.0.1:\d+: Address already in use; "
                         "another process.* has this address[;,] stop it or change listen")
    assert not c.events.find(" start ")


def test_a_second_address_in_use_leaves_nothing_of_the_first(make):
    c = make(pools=2, unix=True)
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(c.addresses[1])
        stranger.listen()
        fails(c, CONFIG, "pool pool1 cannot listen on .*: Address already in use")
        assert not os.path.exists(c.addresses[0])
        assert os.path.exists(c.addresses[1])


def test_an_unknown_key(make):
    c = make()
    c.write("twinit.conf", "[app www]\nreplica = 2\n")
    c.environment["TWINIT_CONFIG"] = str(c.directory / "twinit.conf")
    fails(c, CONFIG, r"twinit.conf:2: unknown key 'replica' in \[app www\]; did you mean 'replicas'\?")


@pytest.mark.parametrize("run_dir", ["/proc/twinit", "/dev/null/twinit", "/nonexistent/deep/twinit"])
def test_a_run_dir_that_cannot_be_written(make, run_dir):
    c = make()
    c.environment["TWINIT_RUN_DIR"] = run_dir
    c.start()
    assert c.wait() == CONFIG
    c.log.wait("twinit: error: cannot use run_dir " + run_dir)


def test_without_run_dir_it_falls_back(make):
    c = make(shell="mount -t tmpfs -o ro none /run && mount -t tmpfs none /dev/shm && exec \"$@\"")
    del c.environment["TWINIT_RUN_DIR"]
    c.boot()
    c.log.wait("run_dir /run/twinit cannot be used.*, taking /dev/shm/twinit")
    assert c.stop() == 0


# --- masters that do not become ready


def test_masters_that_die_at_once_end_it_with_70(make):
    c = make()
    c.behave("die")
    c.start()
    assert c.wait() == CRASHING
    c.log.wait("twinit: error: www: no replica stays up, giving up.* exited with status 1$")
    c.log.wait("replica [12]: exited with status 1; starting it again in 100 ms")
    c.log.wait("replica [12]: exited with status 1; starting it again in 800 ms")
    assert len(c.events.find(" start ")) <= 10


def test_the_exit_status_of_fpm_is_explained(make):
    c = make(replicas=1)
    c.behave("die78")
    c.start()
    c.log.wait(r"replica 1: exited with status 78 \(configuration error\); starting it again in 100 ms")


def test_one_replica_that_works_is_enough_to_begin(make):
    c = make()
    c.behave("r1:die")
    c.boot()
    assert c.request().split()[1] == "www/2"
    code, text = c.tell("health")
    assert (code, text) == (0, "healthy, degraded: www: not all replicas serve\n")
    c.behave()
    c.log.wait("starting replica 1 on lane A ... ready")
    assert c.stop() == 0


def test_the_ready_line_counts_those_that_are(make):
    c = make()
    c.behave("r1:die")
    c.boot()
    c.log.wait("ready: 1 replica in")


def test_a_slow_start_is_killed_and_tried_again(make):
    c = make(replicas=1, start_timeout="500ms")
    c.behave("mute-first")
    c.start()
    c.log.wait("replica 1: was not ready within start_timeout; starting it again in 100 ms")
    c.log.wait("ready: 1 replica")
    assert len(c.events.find(" start ")) == 2
    assert c.request() != ""


def test_a_wrong_answer_to_the_ping_is_no_start(make):
    c = make(replicas=1)
    c.behave("no-pong")
    c.start()
    c.log.wait("replica 1: .*pong; starting it again")
    c.behave()
    c.log.wait("ready: 1 replica")


# --- sessions


def test_a_missing_session_store_ends_it_with_69(make):
    c = make(sessions=("redis", "tcp://127.0.0.1:1?timeout=1"))
    c.environment["TWINIT_SESSIONS_WAIT"] = "300ms"
    c.start()
    assert c.wait() == SESSIONS
    assert re.search(r"127\.0\.0\.1.*\b1\b.*Connection refused", "\n".join(c.log.lines))
    assert not c.events.find(" start ")


def test_who_asks_for_sessions_early_does_not_talk_it_out_of_asking(make):
    c = make(sessions=("redis", "tcp://127.0.0.1:1?timeout=1"))
    c.environment["TWINIT_SESSIONS_WAIT"] = "300ms"
    c.behave("tt=wait")
    c.start()
    c.events.wait("tt waits")
    code, text = c.tell("sessions")
    c.behave("")
    assert c.wait() == SESSIONS
    assert code == 1 and "the container is starting" in text, text
    assert not c.events.find(" start ")


def test_a_store_that_was_given_up_is_not_waited_for_twice(make):
    c = make(sessions=("redis", "tcp://127.0.0.1:1?timeout=1"))
    c.environment.update({"TWINIT_SESSIONS_WAIT": "1s", "TWINIT_SESSIONS_FAIL_HEALTH": "never"})
    c.boot()
    # Two pings, and the stub's answer to the one proof through it.
    c.events.wait(" ready", count=3)
    assert c.stop() == 0
    assert len(c.events.find(" ready")) == 3


# --- what masters are given


def test_masters_have_no_power_and_just_their_descriptors(boot):
    c = boot()
    for replica in (1, 2):
        facts = c.events.wait(r"www/%d 1 start (.*)" % replica)[1]
        # 3 configuration, 4 lane, 5 status, 6 probe, 7 by hand
        assert facts == ("uid=33 gid=33 fds=0,1,2,3,4,5,6,7 cap=0000000000000000 nnp=1 mask=0000000000000000 "
                         "umask=22 leader=1 stdin=0")


def test_each_master_has_a_mount_namespace_of_its_own(boot):
    c = boot()
    spaces = {os.readlink("/proc/%d/ns/mnt" % pid)
              for pid in (c.pid, c.started("www/1"), c.started("www/2"))}
    assert len(spaces) == 3


def test_two_pools_each_with_their_sockets(make):
    c = make(pools=2, unix=True)
    c.boot()
    assert c.events.wait(r"www/1 1 start .*fds=(\S+)")[1] == "0,1,2,3,4,5,6,7,8,9,10"
    assert c.request(address=c.addresses[0]) and c.request(address=c.addresses[1])
    assert c.stop() == 0
    assert not os.path.exists(c.addresses[0]) and not os.path.exists(c.addresses[1])


# --- an earlier life, and another one


def test_what_an_earlier_life_left_does_not_matter(make):
    c = make(unix=True)
    c.boot()
    os.kill(c.pid, signal.SIGKILL)
    c.wait()
    assert (c.run_dir / "control").exists() and os.path.exists(c.address)
    ready = c.log.mark()
    c.start()
    c.log.wait("ready: 2 replicas", ready)
    assert c.release() == "1"
    assert c.app()["ready"] == 2
    assert c.stop() == 0


def test_a_second_twinit_in_the_same_run_dir_leaves_the_first_alone(make):
    first = make()
    first.boot()
    pid = first.status()["apps"][0]["masters"][0]["pid"]
    second = make()
    second.environment["TWINIT_RUN_DIR"] = str(first.run_dir)
    second.start()
    assert second.wait() == CONFIG
    second.log.wait("twinit: error: .*run_dir")
    assert first.status()["apps"][0]["masters"][0]["pid"] == pid
    assert first.release() == "1"
    assert first.roll()
    assert first.stop() == 0
