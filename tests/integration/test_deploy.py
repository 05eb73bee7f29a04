"""twinit deploy: the symlink and the release that serves agree, whatever happens meanwhile."""

import os
import shutil
import subprocess

import pytest

from clients import Crowd, post, release_of_check, fpm_post
from rolling import GATED, HEALTH, assert_answered, finished, give, link, load, order, page, releases_of
from stack import make_symlink
from support import SECONDS, free_ports, wait_until

# A health script that takes until somebody says how it ends: with the text of that file.
WAITS = """<?php error_log('the trial has begun');
while (!is_file(__DIR__ . '/verdict')) { clearstatcache(); usleep(1000); }
http_response_code((int) file_get_contents(__DIR__ . '/verdict'));
"""
PLACE = "/srv/app/releases/"


def verdict(site, release, status):
    """Ends the trial of a release whose health script WAITS."""
    path = page(site, release, "verdict")
    path.with_suffix(".new").write_text(str(status))
    path.with_suffix(".new").rename(path)


@pytest.fixture
def trying(make_site):
    """A site whose deploy of release 2 is under way until its verdict, and how that deploy will end."""
    site = make_site(env=GATED)
    page(site, 2, HEALTH).write_text(WAITS)
    deploy = order(site, "deploy", "2")
    site.said("the trial has begun")
    return site, deploy


def deployed(site, release):
    """Asserts that this release serves, and that the symlink names it."""
    assert release_of_check(post(site.port, "/check.php")) == release
    assert site.app()["release"] == str(release)
    assert link(site) == "releases/%d" % release


def test_a_deploy_under_load_moves_the_symlink_and_rolls(make_site):
    site = make_site(env=GATED)
    with load(site) as crowd:
        crowd.wait_answers(20)
        for release in (2, 1, 2):
            status, said = give(site, "deploy", PLACE + str(release))
            assert status == 0, said
            assert "/srv/app/current -> releases/%d (was releases/%d)" % (release, 3 - release) in said
            assert "release %d is active on 2 replicas" % release in said
            deployed(site, release)
    assert_answered(crowd)
    assert releases_of(crowd) == {1, 2}


def test_the_directory_can_be_named_in_each_usual_way(make_site):
    site = make_site(env=GATED)
    for name, release in (("2", 2), (PLACE + "1", 1), (PLACE + "./2/", 2), ("/srv/app/releases/../releases/1", 1)):
        status, said = give(site, "deploy", name)
        assert status == 0, said
        deployed(site, release)
    # A relative path is one of the caller's; what it means in the container only a shell there knows.
    inside = ["nsenter", "--target", str(site.task.pid), "--mount", "--pid", "env", "--chdir=/srv/app/releases",
              "TWINIT_RUN_DIR=/srv/run", "/srv/bin/twinit", "deploy"]
    for name, release in (("./2", 2), ("../releases/1", 1), ("2", 2)):
        done = subprocess.run([*inside, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout
        deployed(site, release)


def test_what_cannot_be_deployed_is_refused_and_nothing_is_touched(make_site):
    site = make_site(env={**GATED, "TWINIT_APP_DOCROOT": "public"})
    (site.directory / "app" / "file").write_text("")
    (site.directory / "app" / "releases" / "empty").mkdir()
    masters = site.wait_masters()
    for name, why in (("3", "'/srv/app/releases/3': No such file or directory"),
                      ("/no/such/place", "'/no/such/place': No such file or directory"),
                      ("/srv/app/file", "'/srv/app/file' is no directory"),
                      ("empty", "'/srv/app/releases/empty' has no docroot in it; is it a release?"),
                      ("x" * 5000, "is no path of a release"), ("", "is no path of a release")):
        status, said = give(site, "deploy", name)
        assert status == 1 and why in said, said
    for words, why in ((["deploy"], "which directory?"), (["deploy", "2", "nobody"], "no app is called 'nobody'"),
                       (["deploy", "2", "www", "1"], "takes one app"), (["deploy", "--no-such", "2"], "--no-such")):
        status, said = give(site, *words)
        assert status == 64 and why in said, said
    deployed(site, 1)
    assert site.app()["rolls"] == 0 and site.wait_masters() == masters


def test_what_is_active_already_is_said_to_be_and_nothing_rolls(make_site):
    site = make_site(env=GATED)
    masters = site.wait_masters()
    for name in ("1", PLACE + "1", "/srv/app/current"):
        assert give(site, "deploy", name) == (0, "twinit: www: release 1 is active already\n")
    # Also when the symlink had been moved by somebody: it names again what serves.
    site.current(2)
    status, said = give(site, "deploy", "1")
    assert status == 0 and "/srv/app/current -> releases/1 (was releases/2)" in said and "active already" in said, said
    # And the symlink itself means what it names at that moment.
    deployed(site, 1)
    assert site.wait_masters() == masters and site.app()["rolls"] == 0
    site.current(2)
    assert give(site, "deploy", "/srv/app/current")[0] == 0
    deployed(site, 2)


def test_a_deploy_while_another_one_is_under_way_is_refused(trying):
    site, deploy = trying
    assert give(site, "deploy", "1") == (1, "twinit: www: another deploy is under way\n")
    status, said = give(site, "rollback")
    assert status == 1, said
    assert link(site) == "releases/2", "which is being tried"
    verdict(site, 2, 200)
    assert finished(deploy)[0] == 0
    deployed(site, 2)


def test_a_deploy_while_a_roll_is_under_way_is_refused(make_site):
    site = make_site(env=GATED)
    page(site, 2, HEALTH).write_text(WAITS)
    site.current(2)
    roll = order(site, "restart")
    site.said("the trial has begun")
    status, said = give(site, "deploy", "1")
    assert status == 1 and "a roll is under way" in said, said
    assert link(site) == "releases/2"
    verdict(site, 2, 200)
    assert finished(roll)[0] == 0
    deployed(site, 2)


@pytest.mark.parametrize("status, moved, after", [(500, 1, 1), (500, 3, 3), (200, 1, 1)])
def test_a_symlink_that_somebody_else_moves_meanwhile_stays_as_it_is(trying, status, moved, after):
    site, deploy = trying
    site.install_release(3)
    site.current(moved)
    verdict(site, 2, status)
    code, said = finished(deploy)
    assert code == (0 if status == 200 else 1), said
    assert link(site) == "releases/%d" % after
    assert site.app()["release"] == ("2" if status == 200 else "1")
    if status != 200:
        site.said("/srv/app/current was moved meanwhile and stays as it is")


@pytest.mark.parametrize("good", [True, False])
def test_a_missing_symlink_is_made_and_taken_away_again_when_the_roll_fails(make_site, good):
    site = make_site(env=GATED)
    (site.directory / "app" / "current").unlink()
    if not good:
        page(site, 2, HEALTH).write_text("<?php http_response_code(500);")
    with load(site) as crowd:
        status, said = give(site, "deploy", "2")
        crowd.wait_answers(20)
    assert status == (0 if good else 1), said
    assert_answered(crowd)
    if good:
        deployed(site, 2)
    else:
        assert not os.path.lexists(site.directory / "app" / "current") and site.app()["release"] == "1"


def test_a_directory_in_the_place_of_the_symlink_is_not_replaced(make_site):
    site = make_site(env=GATED)
    path = site.directory / "app" / "current"
    path.unlink()
    path.mkdir()
    status, said = give(site, "deploy", "2")
    assert status == 1 and "'/srv/app/current' is no symlink" in said, said
    assert path.is_dir() and site.app()["rolls"] == 0


def test_on_a_read_only_file_system_the_deploy_is_refused(make_site):
    site = make_site(env=GATED)
    mount = ["nsenter", "--target", str(site.task.pid), "--mount", "mount", "-o"]
    subprocess.run([*mount, "remount,bind,ro", "/srv/app"], check=True)
    status, said = give(site, "deploy", "2")
    assert status == 1 and "nothing was touched: '/srv/app/current': Read-only file system" in said, said
    deployed(site, 1)
    subprocess.run([*mount, "remount,bind,rw", "/srv/app"], check=True)
    assert give(site, "deploy", "2")[0] == 0
    deployed(site, 2)


def test_a_symlink_that_cannot_be_moved_back_is_said(trying):
    site, deploy = trying
    mount = ["nsenter", "--target", str(site.task.pid), "--mount", "mount", "-o"]
    subprocess.run([*mount, "remount,bind,ro", "/srv/app"], check=True)
    verdict(site, 2, 500)
    assert finished(deploy)[0] == 1
    site.said("cannot point /srv/app/current back: Read-only file system")
    assert site.app()["release"] == "1"


def test_no_wait_returns_when_the_roll_has_been_asked_for(make_site):
    site = make_site(env=GATED)
    page(site, 2, HEALTH).write_text(WAITS)
    assert give(site, "deploy", "--no-wait", "2")[0] == 0
    site.said("the trial has begun")
    assert link(site) == "releases/2"
    verdict(site, 2, 500)
    site.wait_rolled(1)
    # Nobody waits, and it is taken back all the same.
    wait_until("the symlink is back", SECONDS, lambda: link(site), lambda seen: seen == "releases/1")


def test_hup_during_a_deploy_rolls_once_more_to_what_the_symlink_names_then(trying):
    site, deploy = trying
    with load(site) as crowd:
        site.hup()
        site.said("one more roll will follow")
        verdict(site, 2, 200)
        assert finished(deploy)[0] == 0
        site.wait_rolled(2)
        crowd.wait_answer(2)
    assert_answered(crowd)
    deployed(site, 2)


def test_hup_during_a_deploy_that_fails_does_not_bring_the_bad_release(trying):
    site, deploy = trying
    with load(site) as crowd:
        site.hup()
        site.said("one more roll will follow")
        verdict(site, 2, 500)
        assert finished(deploy)[0] == 1
        site.wait_rolled(2)
    assert_answered(crowd)
    assert site.app()["last_roll"] == "done", "the second roll went to release 1, which the symlink names again"
    deployed(site, 1)


def test_two_apps_are_deployed_one_by_one(cold_site):
    site = cold_site()
    port = free_ports(1)
    for release in ("1", "2"):
        shutil.copytree(site.directory / "app" / "releases" / release, site.directory / "app" / "other" / release)
    make_symlink("other/1", site.directory / "app" / "latest")
    (site.task.fpm_config / "other.conf").write_text(
        "[other]\nuser = www-data\ngroup = www-data\nlisten = 127.0.0.1:%d\npm = static\npm.max_children = 2\n" % port)
    (site.task.fpm_config / "twinit.conf").write_text(
        "[app www]\nfpm_config = /srv/php-fpm/php-fpm.conf\nrelease = /srv/app/current\nquiet = 100ms\n"
        "[app other]\nfpm_config = /srv/php-fpm/other.conf\nrelease = /srv/app/latest\nquiet = 100ms\n")
    env = {name: value for name, value in site.task.environment().items() if not name.startswith("TWINIT_APP_")}
    site.task.start(env={**env, "TWINIT_CONFIG": "/srv/php-fpm/twinit.conf"})
    site.task.wait_ready()
    ask = {"www": lambda: release_of_check(fpm_post(site.task.address, "/check.php")),
           "other": lambda: release_of_check(fpm_post((site.task.address[0], port), "/check.php",
                                                      root="/srv/app/latest/public"))}
    assert {name: one() for name, one in ask.items()} == {"www": 1, "other": 1}
    for words in (["deploy", "2"], ["rollback"]):
        status, said = give(site, *words)
        assert status == 64 and "there are 2 apps; say which one" in said, said
    with Crowd(4, *ask.values()) as crowd:
        crowd.wait_answers(20)
        # Both at the same time: neither waits for the other.
        both = [order(site, "deploy", "2", name) for name in ask]
        assert [finished(one)[0] for one in both] == [0, 0]
        assert {name: one() for name, one in ask.items()} == {"www": 2, "other": 2}
        assert give(site, "rollback", "other")[0] == 0
        assert {name: one() for name, one in ask.items()} == {"www": 2, "other": 1}
    assert_answered(crowd)
    assert link(site) == "releases/2" and os.readlink(site.directory / "app" / "latest") == "other/1"
