"""`twinit check` with stub masters: exit status, what it says, and that it ends whatever hangs."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from container import INFO, PATIENCE, Container, binary

SERVER = "Server API => FPM/FastCGI\nopcache.enable => On => On\nopcache.memory_consumption => 128 => 128\n"
# It waits 15 s for php-fpm.
HANGING = PATIENCE + 30


def prepare(make, **options):
    """A container whose stub prints what check reads of PHP, with pools that are well."""
    c = make(**options)
    c.write("info", INFO % (c.directory, "files", "files", "no value", "no value") + SERVER)
    c.write_dump(pm="static", **{"pm.max_children": 8})
    return c


def check(c, expected, timeout=PATIENCE, inside=(), enter=True):
    """{id: (result, subject, seen, fix)} of `twinit check --json`; the worst of each id.

    It is asked where twinit is PID 1, if it runs, but for enter=False, and there by way of the command `inside`.
    """
    if c.pid and enter:
        inside = ["nsenter", "--target", str(c.pid), "--pid", "--mount", *inside]
    done = subprocess.run([*inside, str(binary()), "check", "--json"], env=c.environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=timeout, check=False)
    text = done.stdout.decode(errors="replace")
    assert done.returncode == expected, text
    found = json.loads(text)
    worst = {}
    for one in found["findings"]:
        mine = (one["result"], one["subject"], one["seen"], one["fix"])
        if one["id"] not in worst or ["ok", "warning", "problem"].index(mine[0]) > \
                ["ok", "warning", "problem"].index(worst[one["id"]][0]):
            worst[one["id"]] = mine
    assert (found["problems"] > 0) == (expected == 1)
    return worst


def unwell(found):
    """The ids that are not ok."""
    return {name for name, one in found.items() if one[0] != "ok"}


def test_a_good_site_is_well_before_it_runs(make):
    found = check(prepare(make), 0)
    assert not unwell(found), found
    assert found["twinit"][2] == "none runs here"
    assert found["release"][2].endswith("/app/releases/1")


def test_a_good_site_is_well_while_it_runs(make):
    c = prepare(make).boot()
    found = check(c, 0)
    assert not unwell(found), found
    assert "runs as pid 1 and is healthy" in found["twinit"][2]
    assert "none of" in found["keep-conn"][2]
    assert c.request()


def test_from_another_pid_namespace_it_says_where_to_ask(make):
    c = prepare(make).boot()
    found = check(c, 0, enter=False)
    assert unwell(found) == {"twinit"}
    assert "is healthy, and runs in another PID namespace" in found["twinit"][2]
    assert "docker exec" in found["twinit"][3]


def test_it_is_readable_in_80_columns(make):
    code, text = prepare(make).tell("check")
    assert code == 0
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= 80, text
    assert lines[0].startswith("ok       config: defaults, ")
    assert lines[-1].endswith(" ok, 0 warnings, 0 problems")


def test_each_fault_of_a_bad_site_is_named(make):
    c = prepare(make)
    c.write_dump(**{"pm": "dynamic", "pm.max_children": 1, "clear_env": "no", "listen.backlog": 100000})
    c.write("info", INFO % (c.directory, "files", "files", "no value", "no value")
            + "Server API => FPM/FastCGI\nopcache.enable => Off => Off\napc.enabled => On => On\n")
    c.set(docroot="nowhere")
    found = check(c, 1)
    assert unwell(found) == {"docroot", "opcache", "apcu", "pm", "workers", "backlog", "clear-env"}
    assert found["docroot"][0] == "problem" and found["docroot"][1] == "www"
    assert found["pm"][1] == "www: pool www" and found["pm"][3] == "pm = static"


@pytest.mark.parametrize("target, says", [(None, "no such"), ("nowhere", "nowhere"), ("file", "file")])
def test_a_release_that_is_none_is_a_problem(make, target, says):
    c = prepare(make)
    link = c.directory / "app" / "current"
    link.unlink()
    if target:
        (c.directory / "app" / "file").write_text("")
        link.symlink_to(target)
    found = check(c, 1)
    assert found["release"][0] == "problem" and says in found["release"][2].lower()


def test_an_empty_release_is_a_problem(make):
    c = prepare(make)
    (c.directory / "app" / "releases" / "3").mkdir()
    c.deploy(3)
    found = check(c, 1)
    assert "is empty" in found["release"][2]


@pytest.mark.parametrize("path, says", [
    ("/nonexistent/php-fpm", "cannot find the PHP-FPM binary"), ("/bin/true", "is it a PHP-FPM binary?"),
    ("/bin/false", "ended with status 1")])
def test_a_broken_fpm_is_a_problem_and_its_settings_are_not_guessed(make, path, says):
    c = prepare(make)
    c.set(php_fpm=path)
    found = check(c, 1)
    assert unwell(found) == {"fpm"} and says in found["fpm"][2]
    assert "pm" not in found and "sessions" not in found


@pytest.mark.slow
def test_an_fpm_that_hangs_is_waited_for_15_seconds():
    with Container() as c:
        c.behave("i=hang")
        found = check(c, 1, timeout=HANGING)
        assert "does not answer within 15 s" in found["fpm"][2]


def test_a_wrong_configuration_is_status_78(make):
    c = prepare(make)
    c.set(replicas=99)
    code, text = c.tell("check")
    assert (code, text) == (78, "twinit check: TWINIT_APP_REPLICAS: '99' is no number from 1 to 4\n")


def test_a_wrong_configuration_of_a_running_twinit_is_status_78_too(make):
    c = prepare(make).boot()
    c.environment["TWINIT_APP_REPLICAS"] = "99"
    code, text = c.tell("check")
    assert code == 78 and text.startswith("twinit check: TWINIT_APP_REPLICAS: ")
    assert c.request()


@pytest.mark.parametrize("words", [["www"], ["--jason"], ["--json", "x"]])
def test_wrong_usage_is_status_64(make, words):
    code, text = make().tell("check", *words)
    assert code == 64 and "usage: twinit check [--json]" in text


def test_another_user_is_told_whose_twinit_it_is(make):
    c = prepare(make).boot()
    found = check(c, 0, inside=["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])
    assert found["user"][0] == "warning"
    assert "this check runs as user 65534, twinit as user 0" in found["user"][2]
    assert "does not answer user 65534" in found["twinit"][2]
    assert c.request()


def test_a_container_without_root_is_well(make):
    somebody = ["setpriv", "--reuid", "33", "--regid", "33", "--clear-groups", "--inh-caps=-all"]
    c = prepare(make, prefix=somebody)
    c.environment["TWINIT_ISOLATION"] = "path"
    c.run_dir.mkdir()
    os.chown(c.run_dir, 33, 33)
    c.boot()
    found = check(c, 0, inside=somebody)
    assert not unwell(found), found
    assert found["user"][2] == "user 33, as whom PHP runs, too"
    assert "is healthy" in found["twinit"][2] and "none of" in found["keep-conn"][2]


def limited(**files):
    """What gives a command a container's limits, as files of its control group."""
    script = "mount -t tmpfs none /sys/fs/cgroup; "
    script += "".join("echo %s >/sys/fs/cgroup/%s; " % (value, name.replace("_", ".")) for name, value in files.items())
    return ["unshare", "--mount", "sh", "-ec", script + 'exec "$0" "$@"']


def test_limits_of_the_container_are_seen(make):
    c = prepare(make)
    c.write("info", (c.directory / "info").read_text() + "memory_limit => 128M => 128M\n")
    found = check(c, 0, inside=limited(memory_max=2 ** 29, memory_current=1000, pids_max=10, pids_current=3))
    assert unwell(found) == {"memory", "pids"}
    # 8 workers, OPcache for two replicas.
    assert "take 1280 MB; the container may have 512 MB" in found["memory"][2]
    assert found["pids"][2].startswith("7 more processes may be made; ")
    found = check(c, 0, inside=limited(memory_max=2 ** 32, memory_current=1000, pids_max=500, pids_current=3))
    assert not unwell(found)


def test_root_that_may_not_change_its_user_is_a_problem(make):
    found = check(prepare(make), 1, inside=["setpriv", "--bounding-set=-setuid,-kill"])
    assert found["capabilities"][0] == "problem"
    assert found["capabilities"][2].startswith("root without SETUID KILL ")


def test_few_open_files_are_a_warning(make):
    found = check(prepare(make), 0, inside=["prlimit", "--nofile=500"])
    assert unwell(found) == {"files"}


def test_a_kernel_that_cannot_be_asked_about_steering_is_not_blamed(make):
    found = check(prepare(make), 0, inside=["unshare", "--net"])
    assert unwell(found) == {"steering"} and "cannot be tried" in found["steering"][2], found


def test_a_variable_with_a_typing_error_is_a_warning(make):
    c = prepare(make)
    c.environment["TWINIT_APP_REPLICSA"] = "3"
    found = check(c, 0)
    assert unwell(found) == {"config"} and "TWINIT_APP_REPLICSA" in found["config"][2]


def test_it_leaves_nothing_behind(make):
    def traces():
        return {trace for place in ("/run", "/dev/shm", "/tmp") for trace in Path(place).glob("twinit-check-*")}

    c = prepare(make)
    before = traces()
    check(c, 0)
    assert not c.run_dir.exists()
    # Others may run a check at the same time, but not for long.
    c.until("nothing new is left", lambda: not traces() - before)
