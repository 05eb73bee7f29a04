"""The password of the session store: it is in the settings that PHP reads, in PHP, and nowhere else."""

import contextlib
import os
import re
import secrets
from pathlib import Path

import pytest

from support import QUICK_STOP, SECONDS, redis_command, start_and_wait_for_end, title, wait_until, workers

OFTEN = {"TWINIT_SESSIONS_EVERY": "300ms", **QUICK_STOP}
STORE = "tcp://${REDIS_HOST}:${REDIS_PORT}?timeout=2&read_timeout=2"


@pytest.fixture
def password():
    """Found nowhere by chance."""
    return "Pw" + secrets.token_hex(12)


def mappings(pid):
    """The bytes of every readable mapping of a process: what its core would hold, and more."""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for line in maps:
            start, end, mode = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            start, size = int(start, 16), int(end, 16) - int(start, 16)
            # AddressSanitizer's notes about all other memory are terabytes of addresses, and hold no text.
            if mode.startswith("r") and size < 1 << 40 and \
                    not line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                memory.seek(start)
                yield line.split()[-1], memory.read(size)


def memory_has(pid, word):
    """The mappings of a process that hold the word."""
    return [name for name, content in mappings(pid) if word.encode() in content]


def proc_files_with(pids, word):
    """Command lines and environments that hold the word."""
    found = []
    for pid in pids:
        for name in ("cmdline", "environ"):
            try:
                content = Path("/proc/%d/%s" % (pid, name)).read_bytes()
            except (FileNotFoundError, ProcessLookupError):  # gone meanwhile
                continue
            if word.encode() in content:
                found.append("%s of %d (%s)" % (name, pid, title(pid)))
    return found


def files_with(folder, word, but=()):
    """Files below a folder that hold the word, but for those folders; sockets and such hold nothing."""
    found = []
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(path, name) not in but]
        for file in (Path(path, name) for name in names):
            if file.is_file() and not file.is_symlink() and word.encode() in file.read_bytes():
                found.append(str(file))
    return found


def temporary_files_with(word, but):
    """The same in the temporary folders of the machine, as far as twinit could have written there just now."""
    found = []
    for path in (Path(folder) / name for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run") for name in os.listdir(folder)):
        # What others have there may be gone between two looks.
        with contextlib.suppress(FileNotFoundError):
            if not path.name.startswith("twinit-") and path.lstat().st_mtime > but:
                found += files_with_one(path, word)
    return found


def files_with_one(path, word):
    """One file, or nothing."""
    if path.is_file() and not path.is_symlink() and word.encode() in path.read_bytes():
        return [str(path)]
    return []


def leaks(site, word, begun):
    """Every place in which the word was found and must not be."""
    task = site.task
    said = {"%s %s" % (name, " ".join(words)): task.twinit(name, *words)
            for name in ("status", "sessions", "list", "health", "check") for words in ([], ["--json"])}
    found = [what for what, done in said.items() if word in done.stdout + done.stderr]
    found += ["memory of PID 1: %s" % name for name in memory_has(task.pid, word)]
    found += proc_files_with([task.pid, *task.descendants()], word)
    # The settings are where it belongs.
    found += files_with(site.directory, word, but=(task.fpm_config, site.directory / "redis", site.directory / "srv"))
    found += temporary_files_with(word, begun)
    return found


def test_the_password_is_in_no_log_answer_memory_command_line_environment_or_file(cold_site, password):
    site = cold_site(ini={"session.save_path": '"%s&auth=%s"' % (STORE, password)}, env=OFTEN)
    begun = site.directory.stat().st_mtime
    redis_command(site, "CONFIG", "SET", "requirepass", password)
    site.task.start()
    site.task.wait_ready()
    site.start_nginx()
    assert site.get("/session.php").body == "1"
    master = site.task.masters()[0]
    assert memory_has(workers(master)[0], password), "or this finds nothing in any memory"
    assert files_with(site.task.fpm_config, password), "or this finds nothing in any file"
    assert leaks(site, password, begun) == []

    site.roll_to(2)
    assert leaks(site, password, begun) == []

    # Redis has another one now, and says so.
    redis_command(site, "--no-auth-warning", "-a", password, "CONFIG", "SET", "requirepass", "other")
    redis_command(site, "--no-auth-warning", "-a", "other", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    status = wait_until("twinit noticed", SECONDS, site.task.status_json, lambda status: status["degraded"])
    assert "assword" in status["why"] or "WRONGPASS" in status["why"], status["why"]
    assert site.task.twinit("restart").returncode == 1
    assert leaks(site, password, begun) == []

    assert site.get("/session.php").status == 503
    site.said("session: .*WRONGPASS|session: .*Failed to read session data")
    site.stop_redis()
    assert site.get("/session.php").status == 503
    site.said("session: .*Failed to read session data", 2)
    wait_until("refused", SECONDS, site.task.status_json, lambda status: "refused" in status["why"])
    assert site.task.twinit("restart").returncode == 1
    assert leaks(site, password, begun) == []


@pytest.mark.parametrize("path", [
    "tcp://${REDIS_HOST}:${REDIS_PORT}?timeout=2&password=%s",
    "tcp://user:%s@${REDIS_HOST}:${REDIS_PORT}?timeout=2",
    "tcp://%s@${REDIS_HOST}:${REDIS_PORT}?timeout=2",
    "${REDIS_HOST}:${REDIS_PORT}?auth=%s",
    "redis://user:%s@${REDIS_HOST}:${REDIS_PORT}",
    "tcp://${REDIS_HOST}:${REDIS_PORT}?auth=comma,%s",
    "tcp://${REDIS_HOST}:${REDIS_PORT}?auth=and&%s",
    "tcp://${REDIS_HOST}:${REDIS_PORT}?auth[]=user&auth[]=%s",
    "tcp://${REDIS_HOST}:${REDIS_PORT}?auth[user]=user&auth[password]=%s",
    "tcp://no-such-host.invalid?timeout=2&auth=%s",
])
def test_a_save_path_that_cannot_work_is_refused_without_showing_its_password(cold_site, password, path):
    site = cold_site(ini={"session.save_path": '"%s"' % path.replace("%s", password)},
                     env={"TWINIT_SESSIONS_WAIT": "300ms", **QUICK_STOP})
    redis_command(site, "CONFIG", "SET", "requirepass", "other")
    assert start_and_wait_for_end(site) in (69, 78)
    assert any("error" in line for line in site.task.since())
    assert not [line for line in site.task.since() if password in line]
    assert files_with(site.directory, password, but=(site.task.fpm_config, site.directory / "redis")) == []
