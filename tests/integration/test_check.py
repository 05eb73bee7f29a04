"""`twinit check` in a container with real PHP and Redis: good and bad sites, busy workers, stores that fail."""

import json
import os
import signal
import subprocess
import time

import pytest

import stores
from clients import Crowd, fpm_answer, fpm_connect, fpm_post, fpm_request, post, release_of_check
from support import QUICK_STOP, SECONDS, start_and_wait_for_end, wait_until

ALL_WELL = {"env": {**QUICK_STOP, "TWINIT_APP_DOCROOT": "public"}, "pool": {"pm": "static", "clear_env": "yes"}}
FCGI_KEEP_CONN = 1


def check(site, expected, user=None):
    """The findings of `docker exec CONTAINER twinit check --json`, as a list."""
    env = ["%s=%s" % item for item in site.task.environment().items()]
    become = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []
    done = subprocess.run(["nsenter", "--target", str(site.task.pid), "--mount", "--pid", "--net", *become, "env", "-i",
                           *env, "/srv/bin/twinit", "check", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert done.returncode == expected and not done.stderr, done.stdout + done.stderr
    return json.loads(done.stdout)["findings"]


def of(findings, name):
    """Those with that id."""
    return [one for one in findings if one["id"] == name]


def unwell(findings):
    """The ids of what is not ok."""
    return {one["id"] for one in findings if one["result"] != "ok"}


def test_a_good_site_has_no_problem(make_site):
    site = make_site(**ALL_WELL)
    findings = check(site, 0)
    assert not {one["id"] for one in findings if one["result"] == "problem"}
    assert of(findings, "php")[0]["seen"].endswith("FPM/FastCGI")
    assert of(findings, "release")[0]["seen"].endswith("leads to /srv/app/releases/1")
    assert "healthy" in of(findings, "twinit")[0]["seen"]
    assert "none of" in of(findings, "keep-conn")[0]["seen"]
    assert any("answered well" in one["seen"] for one in of(findings, "sessions"))
    # It has not kept a member key, and has not disturbed the roll that comes.
    assert "release 2 is active" in site.roll_to(2)[-1]


def test_several_faults_are_all_named(make_site):
    site = make_site(env={**QUICK_STOP, "TWINIT_ISOLATION": "none"},
                     pool={"pm": "ondemand", "clear_env": "no", "listen.backlog": "100000", "pm.max_children": "1"},
                     ini={"opcache.file_cache": "/tmp", "opcache.validate_timestamps": "0",
                          "opcache.memory_consumption": "32"})
    seen = unwell(check(site, 0))
    assert {"pm", "clear-env", "backlog", "workers", "file-cache", "opcache", "isolation"} <= seen


def test_it_answers_while_all_workers_are_busy_and_sees_none_kept(make_site):
    site = make_site(**ALL_WELL)
    with Crowd(16, lambda: release_of_check(post(site.port, "/check.php?seconds=1"))) as crowd:
        crowd.wait_answers(16)
        findings = check(site, 0)
        assert of(findings, "fpm")[0]["result"] == "ok"
    assert not crowd.failures() and not crowd.refused()


def test_a_kept_connection_is_seen(make_site):
    site = make_site(**ALL_WELL)
    request = bytearray(fpm_request("/check.php"))
    request[10] = FCGI_KEEP_CONN
    with fpm_connect(site.task.address) as client:
        client.sendall(request)
        release_of_check(fpm_answer(client))
        found = of(check(site, 0), "keep-conn")[0]
        assert found["result"] == "warning" and found["seen"].startswith("1 of "), found
    wait_until("it is gone", SECONDS, lambda: of(check(site, 0), "keep-conn")[0]["result"],
               lambda result: result == "ok")


def test_scripts_that_are_asked_for_around_the_link_are_seen(make_site):
    site = make_site(**ALL_WELL)
    assert release_of_check(post(site.port, "/check.php")) == 1
    found = of(check(site, 0), "docroot")[0]
    assert found["result"] == "ok" and "asked for through the link" in found["seen"], found
    fpm_post(site.task.address, "/check.php", root="/srv/app/releases/1/public")
    found = of(check(site, 0), "docroot")[0]
    assert found["result"] == "warning" and found["seen"].endswith("'/srv/app/releases/1/public/check.php'"), found
    assert "SCRIPT_FILENAME /srv/app/current/public$fastcgi_script_name" in found["fix"]


def test_a_store_that_is_down_is_a_problem(make_site):
    site = make_site(**ALL_WELL)
    site.stop_redis()
    findings = check(site, 1)
    assert any(one["result"] == "problem" and "refused" in one["seen"] for one in of(findings, "sessions")), findings
    site.start_redis()


def test_a_store_that_hangs_is_a_problem_and_holds_nothing_up(make_site, tmp_path):
    site = make_site(**ALL_WELL)
    site.stop_redis()
    with stores.hung(site.redis_port, str(tmp_path)):
        begun = time.monotonic()
        findings = check(site, 1)
        assert time.monotonic() - begun < 30
    assert any(one["result"] == "problem" for one in of(findings, "sessions")), findings
    assert of(findings, "pm")[0]["result"] == "ok"
    site.start_redis()


@pytest.mark.parametrize("words", [["php-fpm8.2", "-F", "-y", "/srv/php-fpm/other.conf"],
                                   ["run", "--config", "/srv/php-fpm/twinit.conf"]], ids=["CMD", "run"])
def test_it_looks_at_the_configuration_that_the_running_twinit_was_started_with(make_site, words):
    def before(site):
        site.prepare_more = site.task.configure

        def configure():
            site.prepare_more()
            folder = site.task.fpm_config
            (folder / "other.conf").write_text("include = /srv/php-fpm/php-fpm.conf\n[www]\nclear_env = no\n")
            (folder / "twinit.conf").write_text("[app www]\nfpm_config = /srv/php-fpm/other.conf\n")
        site.task.configure = configure
        site.task.env.update(TWINIT_APP_FPM_CONFIG="")
    site = make_site(before, **ALL_WELL, command=["/srv/bin/twinit", *words])
    assert of(check(site, 0), "clear-env")[0]["result"] == "warning"


def test_it_needs_no_twinit(cold_site):
    site = cold_site(**ALL_WELL)
    assert start_and_wait_for_end(site, ["/srv/bin/twinit", "check"]) == 0
    said = "\n".join(site.task.since())
    assert "none runs here" in said and "0 problems" in said, said


def test_somebody_without_rights_gets_an_answer_that_is_true_for_him(make_site):
    site = make_site(**ALL_WELL)
    findings = check(site, 0, user="65534")
    assert of(findings, "user")[0]["result"] == "warning"
    assert "does not answer user 65534" in of(findings, "twinit")[0]["seen"]
    assert of(findings, "php")[0]["result"] == "ok"


def test_a_frozen_twinit_is_said_to_be_one(make_site):
    site = make_site(**ALL_WELL)
    os.kill(site.task.pid, signal.SIGSTOP)
    try:
        findings = check(site, 1)
    finally:
        os.kill(site.task.pid, signal.SIGCONT)
    assert of(findings, "twinit")[0]["result"] == "problem", findings
    assert of(findings, "php")[0]["result"] == "ok"


@pytest.mark.parametrize("path", ["/nonexistent", "/bin/false"])
def test_an_fpm_that_is_none_is_a_problem(cold_site, path):
    site = cold_site(**{**ALL_WELL, "env": {**ALL_WELL["env"], "TWINIT_APP_PHP_FPM": path}})
    assert start_and_wait_for_end(site, ["/srv/bin/twinit", "check"]) == 1
    assert any(line.startswith("problem  fpm: www: ") for line in site.task.since())


def test_opcache_settings_that_keep_php_from_starting_are_a_problem(cold_site):
    site = cold_site(**ALL_WELL, ini={"opcache.memory_consumption": "8"})  # as much as for strings alone
    assert start_and_wait_for_end(site, ["/srv/bin/twinit", "check"]) == 1
    assert any(line.startswith("problem  opcache: www: ") for line in site.task.since())
