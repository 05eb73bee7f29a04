"""Single replicas and whole apps: started, stopped and restarted under load."""

import os
import signal

import pytest

from clients import Crowd, fpm_answer, fpm_connect, fpm_post, fpm_request, post, release_of_check
from rolling import GATED, HEALTH, assert_answered, finished, give, load, order, page
from support import SECONDS, VARIANTS, wait_until


def stopped(site):
    """Numbers of the replicas that somebody stopped."""
    return site.app()["stopped"]


@pytest.mark.parametrize("variant", ["namespace", "unix"])
def test_a_replica_is_stopped_started_and_restarted_without_a_lost_request(make_site, variant):
    site = make_site(**VARIANTS[variant])
    with load(site) as crowd:
        crowd.wait_answers(20)
        for _ in range(3):
            first, second = site.master_of(1), site.master_of(2)
            assert give(site, "stop", "www", "1") == (0, "www: stopping replica 1 ... stopped\n")
            assert site.task.masters() == [second] and stopped(site) == [1]
            crowd.wait_answers(20)
            status, said = give(site, "start", "www", "1")
            assert status == 0 and "starting replica 1" in said and "ready in" in said, said
            assert stopped(site) == [] and site.master_of(2) == second
            status, said = give(site, "restart", "www", "2")
            assert status == 0 and "stopping replica 2 ... stopped" in said and "ready in" in said, said
            assert site.master_of(2) != second and site.master_of(1) != first
            crowd.wait_answers(20)
    assert_answered(crowd)
    site.wait_masters(2)
    assert site.app()["rolls"] == 0


def test_what_is_done_already_is_no_error(site):
    before = site.wait_masters()
    assert give(site, "start") == (0, "")
    assert give(site, "start", "all") == (0, "")
    assert give(site, "start", "www", "2") == (0, "")
    assert site.task.masters() == before
    assert give(site, "stop", "www", "2")[0] == 0
    assert give(site, "stop", "www", "2") == (0, "")
    assert stopped(site) == [2]


def test_a_replica_that_was_stopped_is_named_and_the_container_degraded_not_ill(site):
    assert give(site, "stop", "www", "2")[0] == 0
    status, said = give(site, "status")
    assert status == 0 and "replica 2 was stopped; twinit start www 2 starts it" in said, said
    status, said = give(site, "health")
    assert status == 0 and "a replica was stopped, see twinit start" in said, said
    whole = site.task.status_json()
    assert (whole["healthy"], whole["degraded"], whole["apps"][0]["ready"]) == (True, True, 1)


@pytest.mark.parametrize("words", [["stop", "www", "2"], ["restart", "www", "2"], ["stop", "www"], ["stop", "all"]])
def test_the_last_one_that_serves_is_not_stopped(site, words):
    assert give(site, "stop", "www", "1")[0] == 0
    left = site.task.masters()
    status, said = give(site, *words)
    assert status == 1 and "--force" in said, said
    assert site.task.masters() == left and stopped(site) == [1]
    assert release_of_check(post(site.port, "/check.php")) == 1


@pytest.mark.parametrize("words, back", [(["stop", "--force", "www"], ["start", "www"]),
                                         (["stop", "--force", "all"], ["start", "all"]),
                                         (["stop", "--force", "all"], ["restart"])])
def test_with_force_it_is_and_whoever_connects_meanwhile_waits_for_the_next(site, words, back):
    status, said = give(site, *words)
    assert status == 0 and "stopping replica 1 ... stopped" in said, said
    assert site.task.masters() == [] and stopped(site) == [1, 2]
    assert give(site, "health")[0] == 1
    with fpm_connect(site.task.address) as client:
        client.sendall(fpm_request("/check.php"))
        status, said = give(site, *back)
        assert status == 0, said
        assert release_of_check(fpm_answer(client)) == 1
    assert stopped(site) == [] and len(site.wait_masters()) == 2


def test_with_force_the_only_replica_is_restarted(make_site):
    site = make_site(env={**GATED, "TWINIT_APP_REPLICAS": "1"})
    before = site.task.masters()
    status, said = give(site, "restart", "www", "1")
    assert status == 1 and "a roll (twinit restart) replaces it without a gap" in said, said
    with load(site) as crowd:
        crowd.wait_answers(20)
        assert give(site, "restart", "--force", "www", "1")[0] == 0
        crowd.wait_answers(20)
    assert_answered(crowd)
    assert len(site.task.masters()) == 1 and site.task.masters() != before


def test_a_replica_that_crashes_again_and_again_is_restarted_at_once_when_asked(site):
    with load(site) as crowd:
        crowd.wait_answers(20)
        for number in range(1, 5):  # the pause before the next start grows to most of a second
            os.kill(site.master_of(1), signal.SIGKILL)
            site.said("starting it again in", count=number)
            if number < 4:
                site.wait_masters(2)
        status, said = give(site, "restart", "www", "1")
        assert status == 0 and "ready in" in said, said
        crowd.wait_answers(20)
    assert_answered(crowd)
    assert len(site.wait_masters(2)) == 2


def test_a_stopped_replica_does_not_come_back_by_itself_but_with_the_next_roll(site):
    assert give(site, "stop", "www", "1")[0] == 0
    # A crash of the other one brings back that one only.
    os.kill(site.master_of(2), signal.SIGKILL)
    site.said("starting replica 2 .* ready", count=2)
    assert len(site.wait_masters(1)) == 1 and stopped(site) == [1]
    with load(site) as crowd:
        assert site.roll_to(2)[-1].startswith("www: release 2 is active on 2 replicas")
        crowd.wait_answer(2)
    assert_answered(crowd)
    assert stopped(site) == [] and len(site.wait_masters(2)) == 2


def test_a_roll_that_fails_leaves_a_stopped_replica_stopped(make_site):
    site = make_site(env=GATED)
    assert give(site, "stop", "www", "1")[0] == 0
    page(site, 2, HEALTH).write_text("<?php http_response_code(500);")
    assert give(site, "deploy", "2")[0] == 1
    assert stopped(site) == [1] and len(site.wait_masters(1)) == 1


def test_orders_during_a_roll_are_refused(make_site):
    site = make_site(env={**GATED, "TWINIT_APP_LINGER": "20s"})
    roll = order(site, "restart")
    wait_until("the roll is there", SECONDS, site.app, lambda app: app["roll"] == "watch")
    for words in (["stop", "www", "1"], ["start", "www", "1"], ["restart", "www", "1"], ["stop", "--force", "all"]):
        status, said = give(site, *words)
        assert status == 1 and "a roll is under way" in said, said
    assert give(site, "rollback")[0] == 0
    assert finished(roll)[0] == 1


def test_a_replica_comes_back_on_the_release_that_is_active_although_the_symlink_was_moved(site):
    site.current(2)
    assert give(site, "restart", "www", "1")[0] == 0
    assert give(site, "stop", "www", "2")[0] == 0
    assert {release_of_check(fpm_post(site.task.address, "/check.php")) for _ in range(20)} == {1}


@pytest.mark.parametrize("words, why", [
    (["stop", "nobody"], "no app is called 'nobody'"),
    (["restart", "www", "3"], "app 'www' has no replica 3"),
    (["start", "www", "none"], "no number of a replica"),
    (["start", "www", "1", "2"], "unexpected argument"),
    (["stop", "--force"], "--force needs all or an APP"),
])
def test_what_nobody_has_is_said(site, words, why):
    status, said = give(site, *words)
    assert status != 0 and why in said, said
    assert len(site.wait_masters(2)) == 2


def test_naps_of_a_replica_that_is_stopped_are_cut_and_its_other_requests_are_not(make_site):
    """P4's exception: the others share its queue, so nobody can wait until it is idle."""
    site = make_site(**VARIANTS["namespace"])

    def nap():
        text = fpm_post(site.task.address, "/check.php?nap=50&stay=60")
        return release_of_check(text.replace(" nap cut ", " nap whole "))

    with Crowd(8, nap) as crowd:
        for number in ("1", "2") * 3:
            crowd.wait_answers(10)
            assert give(site, "restart", "www", number)[0] == 0
    assert_answered(crowd)
