"""Item 1: two confined masters serve the sample app."""

from clients import fpm_post, release_of_check
from support import assert_masters_are_confined, children, fpm_masters, namespace, title


def test_two_masters_in_mount_namespaces_of_their_own_as_www_data_without_capabilities(site):
    masters = assert_masters_are_confined(site.task.pid)
    assert len({namespace(pid, "pid") for pid in [site.task.pid, *masters]}) == 1, "no PID namespace of its own"


def test_nothing_but_the_masters_is_left_of_the_start(site):
    """No helper, no shell: what twinit needed for the boot has gone."""
    site.wait_masters(2)
    assert [title(pid).split(" (")[0] for pid in children(site.task.pid)] == ["php-fpm: master process"] * 2


def test_each_page_of_the_sample_app_answers(site):
    page = site.get("/")
    assert page.status == 200
    assert "release 1" in page.body.lower() and "Replica" in page.body
    assert site.get("/ping.php").body == "pong 1"
    assert site.get("/session.php").body == "1"
    assert site.get("/work.php?ms=5").body == "1"
    assert site.get("/slow.php?ms=5").body == "1"
    assert int(site.get("/nap.php?ms=5").body) >= 5
    assert site.get("/release.txt").body.strip() == "1"
    assert site.get("/no-such-page").status == 404


def test_both_masters_answer_and_the_page_says_which_one(site):
    seen = {fpm_post(site.task.address, "/visit.php").split()[3] for _ in range(200)}
    assert seen == {"www/1", "www/2"}


def test_twinit_php_fpm_as_an_inherited_cmd_is_the_same(make_site):
    for command in (["php-fpm"], ["php-fpm8.2", "-F", "-y", "/srv/php-fpm/php-fpm.conf"], ["run"]):
        site = make_site(command=["/srv/bin/twinit", *command])
        assert_masters_are_confined(site.task.pid)
        assert release_of_check(fpm_post(site.task.address, "/check.php")) == 1
        site.current(2)
        site.hup()
        site.wait_rolled(1)
        assert release_of_check(fpm_post(site.task.address, "/check.php")) == 2


def test_status_names_release_replicas_isolation_and_sessions(site):
    status = site.task.status_json()
    app = status["apps"][0]
    assert (status["phase"], status["healthy"], status["degraded"]) == ("running", True, False)
    assert (app["release"], app["isolation"], app["ready"], app["replicas"]) == ("1", "namespace", 2, 2)
    assert app["gated"] is True
    assert (app["sessions"]["state"], app["sessions"]["where"]) == ("ok", "127.0.0.1:%d" % site.redis_port)
    assert len(fpm_masters(site.task.pid)) == 2
    text = site.task.twinit("status").stdout
    assert "2 of 2 replicas ready" in text and "isolation namespace" in text
