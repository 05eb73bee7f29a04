"""Releases that are bad in each way we know: under load no request fails, and no visitor is served by them."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections import namedtuple

import pytest

from clients import post
from rolling import (GATED, HEALTH, assert_answered, finished, give, link, load, order, page, releases_of, too_late,
                     wait_phase)
from support import SECONDS, VARIANTS, wait_until, workers

# Masters whose release decides what they load, where their workers begin, and what runs before each page.
HOOKS = {
    "ini": {"opcache.preload": "/srv/app/current/public/preload.php",
            "auto_prepend_file": "/srv/app/current/public/prepend.php"},
    "pool": {"chdir": "/srv/app/current/lib"},
}
# What hangs, hangs for so long.
ENV = {**GATED, "TWINIT_APP_START_TIMEOUT": "3s"}


def write(name, text):
    """Makes this the page of a release."""
    return lambda site, release: page(site, release, name).write_text(text)


def lock_out(site, release):
    """The folder in which workers begin is closed to them."""
    os.chmod(page(site, release, "..") / "lib", 0o700)


# How a release is spoiled, and what twinit says of it.
Bad = namedtuple("Bad", "spoil why")
BAD = {
    "syntax error in the health script": Bad(write(HEALTH, "<?php echo 'pong"), "/ping.php answered 500"),
    "health 500": Bad(write(HEALTH, "<?php http_response_code(500); echo 'no disk';"),
                      "/ping.php answered 500: 'no disk'"),
    "health redirects": Bad(write(HEALTH, "<?php header('Location: /setup.php');"), "/ping.php answered 302"),
    "health hangs": Bad(write(HEALTH, "<?php while (true) usleep(10000);"), "/ping.php did not answer in time"),
    "fatal in preload": Bad(write("preload.php", "<?php no_such_function();"), "exited with status 70 (software error)"),
    "exit at boot": Bad(write("preload.php", "<?php posix_kill(posix_getpid(), 9);"), "was killed by signal 9"),
    "workers die at once": Bad(lock_out, "was not ready within start_timeout"),
    "workers die of each page": Bad(write("prepend.php", "<?php posix_kill(posix_getpid(), 11);"),
                                    "got no answer, its worker died"),
}


def assert_spared(site, bad):
    """A roll to the release that the symlink names, and a deploy of it, fail with that cause, and 1 serves on."""
    with load(site) as crowd:
        crowd.wait_answers(20)
        site.current(2)
        for words, after in ((["restart"], "releases/2"), (["deploy", "2"], "releases/1")):
            status, said = give(site, *words)
            app = site.app()
            assert status == 1, said
            assert bad.why in app["last_roll_why"], "%s: status should say %r" % (app["last_roll_why"], bad.why)
            assert bad.why in said, "%s should say %r" % (said, bad.why)
            assert (app["last_roll"], app["release"], app["ready"]) == ("failed", "1", app["replicas"])
            assert link(site) == after, said
            site.current(1)
            crowd.wait_answers(20)
    assert_answered(crowd)
    assert releases_of(crowd) == {1}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_release_gets_no_visitor(make_site, name):
    site = make_site(env=ENV, **HOOKS)
    BAD[name].spoil(site, 2)
    assert_spared(site, BAD[name])
    # And the next good one comes as if nothing had been.
    site.install_release(3)
    with load(site) as crowd:
        assert give(site, "deploy", "3")[0] == 0
        crowd.wait_answer(3)
    assert_answered(crowd)
