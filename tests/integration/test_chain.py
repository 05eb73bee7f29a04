"""The proof through PHP: a session that one replica wrote is read by the others, before anybody visits them."""

import json
import os
import re
import socket

import pytest

import stores
from clients import Crowd, fpm_post, post, release_of_check
from test_pools import add_pools, pool_text
from support import QUICK_STOP, SECONDS, VARIANTS, errors_of, free_ports, start_and_wait_for_end, wait_until
from stack import PATH, Process, StackError


def change_save_path(site, value):
    """What the pools' PHP is told from the next start of a master on."""
    path = site.task.fpm_config / "pool.d" / "zzz-sessions.conf"
    path.write_text('[www]\nphp_admin_value[session.save_path] = "%s"\n' % value)
    os.chmod(path, 0o644)


def elsewhere(site):
    """From the next start of a master on, sessions are files."""
    path = site.task.fpm_config / "pool.d" / "zzz-sessions.conf"
    path.write_text("[www]\nphp_admin_value[session.save_handler] = files\n"
                    "php_admin_value[session.save_path] = /tmp\n")
    os.chmod(path, 0o644)


def store(site, options=""):
    """The save path of the site's Redis."""
    return "tcp://127.0.0.1:%d?timeout=2&read_timeout=2%s" % (site.redis_port, options)


def test_a_release_that_would_lose_the_sessions_gets_no_visitor(make_site):
    site = make_site(env=QUICK_STOP)
    masters = site.task.masters()
    change_save_path(site, store(site, "&prefix=ELSEWHERE:"))
    with Crowd(4, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(20)
        site.current(2)
        with pytest.raises(StackError, match="replica 1 does not find the session that replica 1 wrote"):
            site.task.restart()
        crowd.wait_answers(20)
    assert {record.answer for record in crowd.records} == {1} and not crowd.failures()
    assert site.task.masters() == masters
    assert "does not find the session" in site.app()["last_roll_why"]
    assert site.task.twinit("health").returncode == 0

    change_save_path(site, store(site))
    site.roll_to(2)
    assert site.app()["release"] == "2"


def test_a_pool_that_is_renamed_does_not_hide_another_one(make_site):
    port = free_ports(1)
    site = make_site(lambda site: add_pools(site, pool_text("other", port)), env=QUICK_STOP)
    (site.task.fpm_config / "pool.d" / "zzz-more.conf").write_text(pool_text("renamed", port))
    site.roll_to(2)
    (site.task.fpm_config / "pool.d" / "zzz-more.conf").write_text(pool_text("again", port))
    change_save_path(site, store(site, "&prefix=ELSEWHERE:"))
    with pytest.raises(StackError, match="replica 1 does not find the session that replica 1 wrote"):
        site.task.restart()


def test_required_sessions_cannot_be_rolled_away(make_site):
    site = make_site(env={"TWINIT_SESSIONS_VERIFY": "required", **QUICK_STOP})
    elsewhere(site)
    with pytest.raises(StackError, match="roll refused, nothing was touched: .*no pool keeps its sessions in Redis"):
        site.roll_to(2)
    assert site.app()["release"] == "1"


def test_who_has_lost_his_store_does_not_keep_a_release_out_that_has_one(make_site, tmp_path):
    site = make_site(env=QUICK_STOP)
    second = free_ports(1)
    with stores.running(tmp_path, second):
        site.stop_redis()
        change_save_path(site, "tcp://127.0.0.1:%d?timeout=2&read_timeout=2" % second)
        site.roll_to(2)
        assert site.app()["release"] == "2" and site.app()["sessions"]["state"] == "ok"
        assert site.task.stop() == 0


# PHP's own complaint names the part of the save path that it cannot parse.
def test_no_password_is_said(make_site):
    site = make_site(env={"TWINIT_SESSIONS_VERIFY": "report", **QUICK_STOP},
                     ini={"session.save_path": '"tcp://127.0.0.1:99999?auth=SESAME, tcp://127.0.0.1:1?auth=SESAME"'})
    site.said("cannot write a session, PHP says '.*Failed to parse session.save_path")
    assert "SESAME" not in "\n".join(site.task.since())


def test_a_stop_lets_visitors_finish_though_sessions_are_not_proven_yet(cold_site):
    site = cold_site(ini=APART, env={"TWINIT_SESSIONS_WAIT": "5m", **QUICK_STOP})
    site.task.start()
    site.said("starting replica . on lane A .* ready in", count=2)
    with Crowd(1, lambda: release_of_check(fpm_post(site.task.address, "/check.php?nap=1500"))) as crowd:
        site.wait_busy(1)
        assert site.task.stop() == 0
    assert crowd.records[0].answer == 1, crowd.records[0]


# PHP fills the name in when it starts, so each replica has another prefix.
APART = {"session.save_path": '"tcp://127.0.0.1:${REDIS_PORT}?timeout=2&read_timeout=2&prefix=${TWINIT_REPLICA}:"'}


def test_replicas_that_do_not_share_sessions_never_become_healthy(cold_site):
    site = cold_site(env={"TWINIT_SESSIONS_WAIT": "1s", **QUICK_STOP}, ini=APART)
    assert start_and_wait_for_end(site) == 69
    assert any("replica 2 does not find the session that replica 1 wrote" in line for line in errors_of(site.task)), \
        errors_of(site.task)


def test_report_says_so_and_goes_on(make_site):
    site = make_site(env={"TWINIT_SESSIONS_VERIFY": "report", **QUICK_STOP}, ini=APART)
    assert site.lines("replica 2 does not find the session that replica 1 wrote")
    site.roll_to(2)
    assert site.app()["release"] == "2"


def test_sessions_that_move_to_redis_are_proven_there(make_site):
    site = make_site(lambda site: (site.prepare(), elsewhere(site)), env=QUICK_STOP, ini=APART)
    (site.task.fpm_config / "pool.d" / "zzz-sessions.conf").unlink()
    with pytest.raises(StackError, match="replica 2 does not find the session that replica 1 wrote"):
        site.task.restart()
    change_save_path(site, store(site))
    site.roll_to(2)
    assert site.app()["release"] == "2"
    wait_until("the store is asked", SECONDS, lambda: site.app()["sessions"]["state"], lambda state: state == "ok")


@pytest.mark.parametrize("replicas", ["1", "3"])
def test_every_number_of_replicas_is_proven(make_site, replicas):
    site = make_site(env={"TWINIT_APP_REPLICAS": replicas, **QUICK_STOP})
    site.roll_to(2)
    assert site.app()["release"] == "2"
    assert not site.lines("warning")


@pytest.mark.parametrize("variant", ["namespace", "path"])
def test_settings_that_stand_in_the_way_do_not(make_site, tmp_path, variant):
    prepend = tmp_path / "prepend.php"
    prepend.write_text("<?php if (strpos($_SERVER['SCRIPT_NAME'] ?? '', 'sessions.php') !== false) exit('gone');")
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith("/tmp/"):
            os.chmod(folder, 0o755)
    ini = {"open_basedir": "/srv/app:%s" % tmp_path, "auto_prepend_file": prepend, "session.auto_start": "1",
           "disable_functions": "getenv,ini_get,parse_str", "session.use_strict_mode": "1", "variables_order": "S", "session.sid_bits_per_character": "6"}
    site = make_site(ini=ini, **VARIANTS[variant])
    site.roll_to(2)
    assert site.app()["release"] == "2"
    assert not site.lines("could be passed")
    assert not site.lines("took too long"), "variables_order also decides what FPM's status page reads"


def test_each_session_is_looked_for_where_phpredis_puts_it(make_site, tmp_path):
    second = free_ports(1)
    redis = Process("second redis", tmp_path / "log")
    redis.start(["redis-server", "--port", second, "--bind", "127.0.0.1", "--save", "", "--dir", tmp_path],
                {"PATH": PATH})
    try:
        site = make_site(lambda site: (site.prepare(), change_save_path(site, "%s&weight=2, tcp://127.0.0.1:%d?timeout=2"
                                                                        % (store(site), second))), env=QUICK_STOP)
        seen = set()
        for _ in range(60):  # one of three comes to the first, so they nearly always take less than 20
            findings = json.loads(site.task.twinit("sessions", "--json").stdout)["apps"][0]["findings"]
            chain = [one for one in findings if one["id"] == "chain"]
            assert [one["result"] for one in chain] == ["ok"], findings
            seen.add(re.search(r"it was in the store 127.0.0.1:(\d+)", chain[0]["seen"])[1])
            if len(seen) == 2:
                break
        assert seen == {str(site.redis_port), str(second)}, "one of 60 sessions in each store"
        assert site.task.stop() == 0
    finally:
        redis.stop()


def test_nothing_is_left_in_the_store(make_site):
    site = make_site(env=QUICK_STOP)
    site.roll_to(2)
    with socket.create_connection(("127.0.0.1", site.redis_port)) as client:
        client.sendall(b"KEYS *[0-9a-v]\r\n")
        keys = client.recv(65536).split(b"\r\n")[2::2]
    assert not [key for key in keys if b"twinit" not in key], keys
