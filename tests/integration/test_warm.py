"""Warm-up: the pages of `warm` have run in each worker that visitors meet, before they come."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from clients import Crowd, fpm_post, post, release_of_check
from support import QUICK_STOP, status_field

WORKERS = 6
# Each leaves the pid of its worker in a file of its own name.
LEAVE_PID = "<?php file_put_contents('%s/' . basename(__FILE__), getmypid() . \"\\n\", FILE_APPEND | LOCK_EX);\n"
PAGES = {"good.php": "echo 'good';", "moved.php": "header('Location: /', true, 302);", "bad.php": "http_response_code(500);",
         "hangs.php": "sleep(60);"}


@pytest.fixture
def pids():
    """pids(page) are those of the workers that have run it, as they see themselves."""
    folder = Path(tempfile.mkdtemp(prefix="twinit-pids-", dir="/tmp"))
    folder.chmod(0o777)

    def read(page):
        file = folder / page
        return file.read_text().split() if file.exists() else []

    read.folder = folder
    yield read
    shutil.rmtree(folder)


def install(pids, site, release):
    """The pages in that release."""
    for name, rest in PAGES.items():
        page = site.directory / "app" / "releases" / str(release) / "public" / name
        page.write_text(LEAVE_PID % pids.folder + rest)


def inside(site):
    """Pids of all workers of visitors as they see themselves."""
    return {status_field(pid, "NStgid").split()[-1] for pid in site.workers()}


def roll_under_load(site, pids):
    """Rolls to release 2 with the pages in it; every request is answered."""
    install(pids, site, 2)
    with Crowd(4, lambda: release_of_check(post(site.port, "/check.php")),
               lambda: release_of_check(fpm_post(site.task.address, "/check.php"))) as crowd:
        crowd.wait_answers(20)
        lines = site.roll_to(2)
        crowd.wait_answers(20)
    assert not crowd.failures() and not crowd.refused()
    return lines


@pytest.mark.parametrize("unix", [False, True])
@pytest.mark.parametrize("pm", ["static", "dynamic"])
def test_each_worker_has_run_the_pages_before_visitors_come(make_site, pids, pm, unix):
    pool = {"pm": pm, "pm.max_children": WORKERS, "pm.start_servers": WORKERS, "pm.min_spare_servers": 2,
            "pm.max_spare_servers": WORKERS}
    site = make_site(pool=pool, unix=unix, env={"TWINIT_APP_WARM": "/good.php /moved.php?to=home", **QUICK_STOP})
    lines = roll_under_load(site, pids)
    assert sum("warm 2 of 2" in line for line in lines) == 2, lines
    workers = inside(site)
    assert len(workers) == WORKERS
    for page in "good.php", "moved.php":
        # Three times in each of them, and once in a worker of each master's own pool for such pages.
        assert all(pids(page).count(worker) == 3 for worker in workers), (workers, pids(page))
        assert len(pids(page)) == 3 * WORKERS + 2, (workers, pids(page))


def test_what_fpm_counts_as_the_most_at_once_is_called_so(make_site, pids):
    site = make_site(pool={"pm": "static", "pm.max_children": WORKERS},
                     env={"TWINIT_APP_WARM": "/good.php", **QUICK_STOP})
    install(pids, site, 2)
    site.roll_to(2)
    most = site.app()["workers"]["max_active"]
    assert most > WORKERS, "FPM counts requests on kept connections rightly: say so in doc/status.md"
    text = site.task.twinit("status").stdout
    assert "at most %d by FPM's count" % most in text, text


def test_a_page_that_did_not_do_well_keeps_no_worker_from_visitors(make_site, pids):
    env = {"TWINIT_APP_WARM": "/bad.php /good.php /hangs.php", "TWINIT_APP_START_TIMEOUT": "2s", **QUICK_STOP}
    site = make_site(pool={"pm": "static", "pm.max_children": WORKERS}, env=env)
    lines = roll_under_load(site, pids)
    assert sum("warm 1 of 3" in line for line in lines) == 2, lines
    assert any("warm-up: replica 1: /bad.php answered 500" in line for line in lines), lines
    assert len(pids("bad.php")) == len(pids("hangs.php")) == 2
    assert inside(site) <= set(pids("good.php"))


def test_a_crashed_master_is_not_kept_from_coming_back(make_site, pids):
    site = make_site(pool={"pm": "static", "pm.max_children": WORKERS},
                     env={"TWINIT_APP_WARM": "/good.php", **QUICK_STOP})
    roll_under_load(site, pids)
    before = len(pids("good.php"))
    os.kill(site.master_of(1), signal.SIGKILL)
    site.wait_masters()
    assert len(pids("good.php")) == before
