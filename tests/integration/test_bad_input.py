"""Item 9: what is wrong is said in one clear sentence, and nothing is half-started or half-rolled."""

import os
import re
import shutil
import socket

import pytest

from clients import Crowd, fpm_post, post, release_of_check
from support import HOST, QUICK_STOP, SECONDS, errors_of, fpm_masters, port_problem, start_and_wait_for_end, wait_until
import stack

CONFIG = "/srv/php-fpm/twinit.conf"  # a place that is in the stack's tree


def write_config(site, text):
    """A configuration file for twinit, and the variable that names it."""
    (site.task.fpm_config / "twinit.conf").write_text(text)
    site.task.env = {**site.task.env, "TWINIT_CONFIG": CONFIG}


def assert_refuses_to_boot(site, *patterns, status=78):
    """It ends with that status, one error that matches all patterns, and nothing was started."""
    assert start_and_wait_for_end(site) == status
    errors = errors_of(site.task)
    assert len(errors) == 1, errors
    for pattern in patterns:
        assert re.search(pattern, errors[0]), "%r should be in: %s" % (pattern, errors[0])
    assert not site.lines("fpm is running|starting replica|ready to handle")
    assert not os.path.lexists(site.directory / "app" / "published")
    assert not [path for path in site.task.run_dir.rglob("*") if not path.is_dir()]
    return errors[0]


# At the start.

@pytest.mark.parametrize("text, patterns", [
    ("[app www]\nreplica = 2\n", [CONFIG + ":2:", "'replica'", "replicas"]),
    ("; a comment\n\n[twinit]\nisolatoin = path\n", [CONFIG + ":4:", "'isolatoin'", "isolation"]),
    ("[twinit]\nreplicas = 2\n", [CONFIG + ":2:", "'replicas'", r"\[app"]),
    ("[sesions]\nverify = off\n", [CONFIG + ":2?", "sesions", r"\[sessions\]"]),
    ("[twinit]\nnonsense\n", [CONFIG + ":2:", "key = value"]),
], ids=["near", "second-near", "other-section", "section", "no-key"])
def test_an_unknown_key_is_named_with_file_line_and_the_nearest_valid_one(cold_site, text, patterns):
    site = cold_site()
    write_config(site, text)
    assert_refuses_to_boot(site, *patterns)


@pytest.mark.parametrize("line, patterns", [
    ("drain_timeout = 30", ["drain_timeout", "'30'", "30s"]),
    ("drain_timeout = soon", ["drain_timeout", "'soon'", "30s"]),
    ("replicas = 0", ["replicas", "'0'", "from 1"]),
    ("replicas = many", ["replicas", "'many'"]),
    ("workers = half", ["workers", "'half'", "split, full"]),
    ("release = srv/app/current", ["release", "'srv/app/current'", "begin with /"]),
    ("docroot = ../other", ["docroot", r"'\.\./other'", "below"]),
])
def test_a_bad_value_is_named_with_file_line_and_what_would_be_right(cold_site, line, patterns):
    site = cold_site()
    write_config(site, "[app www]\n" + line + "\n")
    assert_refuses_to_boot(site, CONFIG + ":2:", *patterns)


@pytest.mark.parametrize("name, value, patterns", [
    ("TWINIT_ISOLATION", "full", ["'full'", "namespace"]),
    ("TWINIT_APP_DRAIN_TIMEOUT", "30", ["'30'", "30s"]),
    ("TWINIT_SESSIONS_VERIFY", "maybe", ["'maybe'", "required"]),
])
def test_a_bad_value_in_the_environment_is_named_with_its_variable(cold_site, name, value, patterns):
    site = cold_site(env={name: value})
    assert_refuses_to_boot(site, name, *patterns)


def test_an_unknown_variable_is_a_warning_and_no_more(make_site):
    """Kubernetes makes such names for its services."""
    site = make_site(env={"TWINIT_PORT": "tcp://10.0.0.1:80", **QUICK_STOP})
    assert len(site.said("warning: .*TWINIT_PORT")) == 1
    assert release_of_check(fpm_post(site.task.address, "/check.php")) == 1


def test_a_missing_configuration_file_is_named(cold_site):
    site = cold_site(env={"TWINIT_CONFIG": "/srv/php-fpm/no.conf"})
    assert_refuses_to_boot(site, "/srv/php-fpm/no.conf", "No such file")


@pytest.mark.parametrize("binary", ["php-fpm9.9", "/srv/bin/no-fpm"])
def test_a_missing_fpm_binary_is_named(cold_site, binary):
    site = cold_site(env={"TWINIT_APP_PHP_FPM": binary})
    assert_refuses_to_boot(site, "'%s'" % binary, "php_fpm")


def test_a_binary_that_is_no_fpm_is_named(cold_site):
    site = cold_site(env={"TWINIT_APP_PHP_FPM": "/bin/true"})
    assert_refuses_to_boot(site, "'/bin/true'", "PHP-FPM")


def test_a_missing_fpm_config_is_named(cold_site):
    site = cold_site(env={"TWINIT_APP_FPM_CONFIG": "/srv/php-fpm/none.conf"})
    assert_refuses_to_boot(site, "fpm_config '/srv/php-fpm/none.conf'", "No such file")


def test_a_release_symlink_that_points_nowhere_is_named_with_its_target(cold_site):
    site = cold_site()
    site.current(7)
    assert_refuses_to_boot(site, "'/srv/app/current'", "'releases/7'", "does not exist")


def test_a_release_symlink_that_is_missing_or_no_symlink_is_named(cold_site):
    site = cold_site()
    (site.directory / "app" / "current").unlink()
    assert_refuses_to_boot(site, "'/srv/app/current'", "No such file")
    site = cold_site()
    (site.directory / "app" / "current").unlink()
    (site.directory / "app" / "current").mkdir()
    assert_refuses_to_boot(site, "'/srv/app/current'", "not a symlink")


def test_an_address_in_use_is_named_and_its_owner_left_alone(cold_site):
    site = cold_site()
    with socket.create_server((HOST, site.task.port)) as owner:
        assert_refuses_to_boot(site, "pool www", "127.0.0.1:%d" % site.task.port, "in use", "change listen")
        # Not even with SO_REUSEPORT would it have joined in.
        with socket.create_connection((HOST, site.task.port), timeout=SECONDS):
            owner.settimeout(SECONDS)
            owner.accept()[0].close()


def test_an_address_that_another_twinit_has_is_not_shared_with_it(site, cold_site):
    other = cold_site()
    other.task.port = site.task.port
    other.task.configure()
    assert_refuses_to_boot(other, "127.0.0.1:%d" % site.task.port, "in use")
    with Crowd(4, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(50)
    assert not crowd.failures() and not crowd.refused()


def test_a_unix_socket_in_use_is_named_and_its_owner_left_alone(cold_site):
    site = cold_site(unix=True)
    with socket.socket(socket.AF_UNIX) as owner:
        owner.bind(site.task.address)
        owner.listen(5)
        assert_refuses_to_boot(site, "pool www", "/srv/sock/php.sock", "in use")
        assert stack.can_connect(site.task.address)


BROKEN_POOLS = {
    "unknown-key": ("[www]\npm.max_childrne = 4\n", ["pm.max_childrne", r"zz-broken\.conf", "2"]),
    "bad-value": ("[www]\npm = sometimes\n", ["pm", r"zz-broken\.conf", "2"]),
    "no-sense": ("[www]\npm = dynamic\npm.min_spare_servers = 90\n", ["min_spare_servers"]),
}


def break_fpm_config(site, kind):
    """A file that php-fpm reads last and does not understand; returns what must be said of it."""
    text, patterns = BROKEN_POOLS[kind]
    (site.task.fpm_config / "pool.d" / "zz-broken.conf").write_text(text)
    return patterns


def mend_fpm_config(site):
    (site.task.fpm_config / "pool.d" / "zz-broken.conf").unlink()


@pytest.mark.parametrize("kind", BROKEN_POOLS)
def test_a_broken_fpm_config_at_boot_is_named_with_file_and_line(cold_site, kind):
    site = cold_site()
    patterns = break_fpm_config(site, kind)
    assert_refuses_to_boot(site, *patterns)


@pytest.mark.parametrize("argv", [["--nonsense"], ["status", "--nonsense"], ["help", "nonsense"], ["run", "--config"]])
def test_a_wrong_command_line_is_a_usage_error(cold_site, argv):
    site = cold_site(redis=False)
    done = site.task.twinit(*argv)
    assert done.returncode == 64
    assert argv[-1] in done.stderr and not done.stdout


# At a roll.

def assert_roll_is_refused(site, *patterns):
    """`twinit restart` and HUP are refused with the reason; masters, release and requests are as they were."""
    masters = fpm_masters(site.task.pid)
    rolls = site.app()["rolls"]
    with Crowd(4, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(20)
        done = site.task.twinit("restart")
        assert done.returncode == 1
        refusal, = [line for line in done.stdout.splitlines() if "roll refused" in line]
        assert refusal.startswith("www: roll refused, nothing was touched: ")
        for pattern in patterns:
            assert re.search(pattern, refusal), "%r should be in: %s" % (pattern, refusal)
        site.hup()
        site.wait_rolled(rolls + 2)
        assert len(site.said(re.escape("twinit: error: " + refusal) + "$", count=2)) == 2
        crowd.wait_answers(20)
    assert not crowd.failures() and not crowd.refused()
    assert {record.answer for record in crowd.records} == {1}
    assert fpm_masters(site.task.pid) == masters
    status = site.task.status_json()
    app = status["apps"][0]
    assert (app["last_roll"], app["release"], app["ready"], app["roll"]) == ("refused", "1", 2, "idle")
    assert app["last_roll_why"] and app["last_roll_why"] in refusal
    assert (status["healthy"], status["degraded"]) == (True, False)
    assert "last roll: " + app["last_roll_why"] in site.task.twinit("status").stdout
    assert site.get("/release.txt").body.strip() == "1"


def assert_next_roll_works(site):
    """Once it is mended."""
    assert "release 2 is active on 2 replicas" in site.roll_to(2)[-1]
    assert release_of_check(post(site.port, "/check.php")) == 2
    site.wait_masters(2)


@pytest.mark.parametrize("kind", BROKEN_POOLS)
def test_a_broken_fpm_config_at_a_roll_is_refused_with_file_and_line(site, kind):
    site.current(2)
    patterns = break_fpm_config(site, kind)
    assert_roll_is_refused(site, *patterns)
    mend_fpm_config(site)
    assert_next_roll_works(site)


def test_a_release_symlink_that_points_nowhere_at_a_roll_is_refused(site):
    site.current(7)
    assert_roll_is_refused(site, "'/srv/app/current'", "'releases/7'", "does not exist")
    assert_next_roll_works(site)


def test_an_fpm_binary_that_has_gone_at_a_roll_is_refused(make_site):
    site = make_site(env={"TWINIT_APP_PHP_FPM": "/srv/app/php-fpm", **QUICK_STOP},
                     command=["sh", "-c", "cp /usr/sbin/php-fpm8.2 /srv/app/php-fpm && exec /srv/bin/twinit"])
    wait_until("healthy", SECONDS, lambda: site.task.twinit("health").returncode, lambda code: code == 0)
    site.current(2)
    os.rename(site.directory / "app" / "php-fpm", site.directory / "php-fpm-away")
    assert_roll_is_refused(site, "'/srv/app/php-fpm'", "php_fpm")
    shutil.copy2(site.directory / "php-fpm-away", site.directory / "app" / "php-fpm")
    assert_next_roll_works(site)


def test_a_changed_address_at_a_roll_is_refused(site):
    (site.task.fpm_config / "pool.d" / "zz-z.conf").write_text("[www]\nlisten = 127.0.0.1:1\n")
    site.current(2)
    assert_roll_is_refused(site, "pool www", "127.0.0.1:1 is new", "restart")


def test_another_fpm_config_at_a_roll_is_read(cold_site):
    """What was read for the active release is where the next roll begins to read, and no more than that."""
    site = cold_site()
    app = "[app www]\nrelease = /srv/app/current\npublish = /srv/app/published\nquiet = 100ms\n"
    write_config(site, app + "fpm_config = /srv/php-fpm/php-fpm.conf\n")
    env = {name: value for name, value in site.task.environment().items() if not name.startswith("TWINIT_APP_")}
    site.task.start(env=env)
    site.task.wait_ready()
    site.start_nginx()
    site.task.restart()
    # Debian's own, which is at another address.
    write_config(site, app)
    assert_roll_is_refused(site, "is new", "restart")
    shutil.copy2(site.task.fpm_config / "php-fpm.conf", site.task.fpm_config / "other.conf")
    (site.task.fpm_config / "other.conf").chmod(0o644)
    write_config(site, app + "fpm_config = /srv/php-fpm/other.conf\n")
    assert_next_roll_works(site)


def test_a_preload_that_fails_at_a_roll_never_gets_a_visitor(site):
    """FPM's configuration is fine, its start is not: the roll fails after it has begun, and touches nothing either."""
    ini = site.task.fpm_config / "conf.d" / "zz-preload.ini"
    ini.write_text("opcache.preload = /srv/app/current/none.php\n")
    masters = site.task.masters()
    site.current(2)
    with Crowd(4, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(20)
        done = site.task.twinit("restart")
        assert done.returncode == 1
        assert "roll failed, release 1 serves on: " in done.stdout
        crowd.wait_answers(20)
    assert not crowd.failures() and {record.answer for record in crowd.records} == {1}
    assert site.wait_masters(2) == masters
    assert site.app()["last_roll"] == "failed"
    ini.unlink()
    assert_next_roll_works(site)


def test_replicas_that_keep_crashing_at_boot_end_with_70(cold_site):
    site = cold_site(ini={"opcache.preload": "/srv/app/current/none.php"})
    assert start_and_wait_for_end(site) == 70
    assert [error for error in errors_of(site.task) if "no replica stays up" in error]
    assert not port_problem(site.task.port)
