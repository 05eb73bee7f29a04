"""FPM's own log files: the masters write them as the pool's user, and what twinit asks FPM leaves none behind."""

import json
import os
import pwd
import re
import signal

import pytest

from clients import fpm_post
from rolling import give
from support import QUICK_STOP, stack

WWW = pwd.getpwnam("www-data")
LOGS = {"access.log": "/srv/app/log/access.log", "slowlog": "/srv/app/log/slow.log", "request_slowlog_timeout": "5s"}


def make_folder(site):
    """Of the pool's user, as an image that keeps logs in a volume has it."""
    site.prepare()
    folder = site.directory / "app" / "log"
    folder.mkdir()
    os.chown(folder, WWW.pw_uid, WWW.pw_gid)


def owners(site):
    """{file: its owner}"""
    return {file.name: pwd.getpwuid(file.stat().st_uid).pw_name for file in (site.directory / "app" / "log").iterdir()}


def test_logs_in_a_directory_of_the_pools_user_are_written_by_him(make_site):
    site = make_site(before=make_folder, env=QUICK_STOP, pool=LOGS)
    fpm_post(site.task.address, "/check.php")
    assert owners(site) == {"access.log": "www-data", "slow.log": "www-data"}
    site.roll_to(2)
    assert site.task.stop() == 0
    # Those files are there now, and root without its capabilities could not open them.
    site.task.start()
    site.task.wait_ready()
    fpm_post(site.task.address, "/check.php")
    text = (site.directory / "app" / "log" / "access.log").read_text()
    assert text.count("POST /check.php") == 2, text


TROUBLES = {
    "no directory": ({"access.log": "/srv/app/none/access.log"}, "cannot write access.log = '/srv/app/none/access.log': "
                     "No such file or directory; make its directory"),
    "a directory": ({"access.log": "/srv/app"}, "cannot write access.log = '/srv/app': Is a directory; name a file"),
    "the slow log": ({"slowlog": "/srv/app/none/slow.log", "request_slowlog_timeout": "5s"},
                     "cannot write slowlog = '/srv/app/none/slow.log': No such file or directory"),
}


def roll_with(site, directives):
    """(exit status, what is said) of a roll with these directives, which are gone again afterwards."""
    file = site.task.fpm_config / "pool.d" / "zzz.conf"
    stack.write_ini(file, {"www": directives})
    try:
        return give(site, "restart")
    finally:
        file.unlink()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_log_that_nobody_can_write_is_named_before_anything_starts(make_site, trouble):
    directives, said = TROUBLES[trouble]
    site = make_site(env=QUICK_STOP)
    code, output = roll_with(site, directives)
    assert code == 1 and "roll refused" in output and said in output, output
    site.restart()


def test_a_log_that_the_pools_user_may_not_write_ends_the_roll(make_site):
    site = make_site(env=QUICK_STOP)
    code, output = roll_with(site, {"access.log": "/srv/app/access.log"})
    assert code == 1 and re.search(r"replica [12] exited with status 78 \(configuration error\)", output), output
    assert not (site.directory / "app" / "access.log").exists()
    site.restart()


FPMS_OWN = r"\[\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d(\.\d+)?\] (NOTICE|WARNING|ERROR|ALERT): "


def test_in_a_json_log_fpms_lines_stay_what_they_are(make_site):
    site = make_site(env={**QUICK_STOP, "TWINIT_LOG_FORMAT": "json"}, pool={"access.log": "/dev/null"})
    os.kill(site.workers()[0], signal.SIGKILL)
    site.said(r"child \d+ exited on signal 9")
    site.roll_to(2)
    assert site.task.stop() == 0
    ours = [json.loads(line) for line in site.task.since() if line.startswith("{")]
    others = [line for line in site.task.since() if not line.startswith("{")]
    assert ours[0]["event"] == "started" and ours[-1]["event"] == "stopped", ours
    assert {"replica-ready", "ready", "roll-started", "cutover", "roll-done"} <= {event["event"] for event in ours}
    assert others and not [line for line in others if not re.match(FPMS_OWN, line)], others
