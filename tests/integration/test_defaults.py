"""Item 1, second half: no configuration at all, in front of what Debian ships: a Unix socket and root's log files.

twinit is PID 1 in a tree where /run and /var/log are empty, as in a fresh container.
"""

import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from clients import Crowd, fpm_post, release_of_check
from support import (SECONDS, assert_masters_are_confined, binary, errors_of, fpm_masters, start_and_wait_for_end,
                     wait_until)
import stack

IN_A_CONTAINER = r"""
set -eu
mount -n -t tmpfs -o mode=755 none /run
mount -n -t tmpfs -o mode=755 none /var/log
[ -z "$1" ] || mkdir "$1"
shift
exec "$@"
"""


def command(*words, folder="/run/php"):
    """argv: twinit in such a tree; `folder` is for FPM's socket."""
    return ["sh", "-c", IN_A_CONTAINER, "container", folder, "/srv/bin/twinit", *words]


def start(site, *words):
    """Starts twinit with nothing in its environment but PATH; returns FPM's socket as seen from here."""
    site.task.start(command(*words), {"PATH": stack.PATH})
    # Until then this is our own /run, where another twinit may be.
    wait_until("it is twinit", SECONDS, lambda: stack.title(site.task.pid),
               lambda text: text.startswith("/srv/bin/twinit"))
    run = Path("/proc/%d/root/run" % site.task.pid)
    site.task.run_dir = run / "twinit"
    site.task.wait_ready()
    return str(run / "php" / Path(default_listen()).name)


def default_listen():
    """What Debian's pool says."""
    for pool in sorted(Path("/etc/php").glob("*/fpm/pool.d/www.conf")):
        for line in pool.read_text().splitlines():
            if line.startswith("listen ="):
                return line.partition("=")[2].strip()
    raise AssertionError("no pool in /etc/php")


@pytest.mark.parametrize("words", [[], ["run"], ["php-fpm"], ["php-fpm", "-F"]], ids=" ".join)
def test_without_configuration_it_takes_over_debians_own(cold_site, words):
    site = cold_site(redis=False)
    socket = start(site, *words)
    masters = assert_masters_are_confined(site.task.pid)

    found = os.stat(socket)
    www_data = pwd.getpwnam("www-data")
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o660
    assert (found.st_uid, found.st_gid) == (www_data.pw_uid, www_data.pw_gid)

    app = site.app()
    assert (app["release"], app["address"], app["gated"]) == ("image", default_listen(), True)
    assert site.task.twinit("health").stdout == "healthy\n"
    with Crowd(8, lambda: release_of_check(fpm_post(socket, "/check.php"))) as crowd:
        crowd.wait_answers(50)
        for roll in (1, 2, 3):
            site.hup()
            site.wait_rolled(roll)
            crowd.wait_answers(50)
    assert not crowd.failures() and not crowd.refused()
    assert not set(masters) & set(fpm_masters(site.task.pid))
    assert_masters_are_confined(site.task.pid)
    assert site.task.stop() == 0


def test_a_roll_takes_what_is_new_in_an_image_without_releases(cold_site):
    site = cold_site(redis=False)
    socket = start(site)
    assert release_of_check(fpm_post(socket, "/check.php")) == 1
    site.current(2)
    site.task.restart()
    wait_until("release 2", SECONDS, lambda: release_of_check(fpm_post(socket, "/check.php")), lambda r: r == 2)


def test_a_folder_for_the_socket_that_is_missing_is_named(cold_site):
    site = cold_site(redis=False)
    assert start_and_wait_for_end(site, argv=command(folder=""), env={"PATH": stack.PATH}) == 78
    error, = errors_of(site.task)
    assert "pool www" in error and default_listen() in error and "No such file or directory" in error


def test_php_fpm_with_an_option_that_does_not_serve_is_just_run():
    fpm = Path(default_listen()).name.partition("-")[0].replace("php", "php-fpm")
    done = subprocess.run([binary(), fpm, "-v"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=SECONDS)
    assert done.returncode == 0 and done.stdout.startswith("PHP ") and "fpm-fcgi" in done.stdout
