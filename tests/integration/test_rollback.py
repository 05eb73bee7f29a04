"""The way back: at once as long as the old masters linger, by a roll afterwards."""

import os
import signal
import time

import pytest

from clients import Later, post, release_of_check
from rolling import (GATED, assert_answered, finished, give, link, load, order, releases_of, too_late, wait_phase)
from support import SECONDS, VARIANTS, status_field, wait_until

LINGER = {**GATED, "TWINIT_APP_LINGER": "20s"}
WAYS = {
    **VARIANTS,
    "one replica": {"env": {"TWINIT_APP_REPLICAS": "1"}},
    "four replicas": {"env": {"TWINIT_APP_REPLICAS": "4"}},
}


@pytest.fixture
def lingering(make_site):
    """A site on which release 2 has just been deployed, and how the deploy will end; 1 is still there."""
    site = make_site(env=LINGER)
    deploy = order(site, "deploy", "2")
    wait_phase(site, "watch")
    return site, deploy


@pytest.mark.parametrize("way", WAYS)
def test_inside_linger_a_rollback_is_one_cutover(make_site, way, record_property):
    site = make_site(**{**WAYS[way], "env": {**LINGER, **WAYS[way]["env"]}})
    before = site.task.masters()
    with load(site) as crowd:
        crowd.wait_answers(20)
        deploy = order(site, "deploy", "2")
        crowd.wait_answer(2)
        wait_phase(site, "watch")
        nap = Later(lambda: release_of_check(post(site.port, "/check.php?nap=300")))
        began = time.monotonic_ns()
        status, said = give(site, "rollback")
        crowd.wait_answers(50)
    last_ms = (max(record.end for record in crowd.records if record.answer == 2) - began) / 1e6
    print("%s: the last answer of the bad release came %.0f ms after the command; 0 of %d requests failed"
          % (way, last_ms, len(crowd.records)))
    record_property("last_ms", last_ms)
    assert status == 0 and "back from release 2 to 1" in said, said
    assert finished(deploy)[0] == 1
    assert_answered(crowd)
    assert releases_of(crowd) == {1, 2} and not too_late(crowd.records, 2)
    assert nap.record().failure is None
    assert site.wait_masters(len(before)) == before, "nobody was started"
    app = site.app()
    assert (app["last_roll"], app["release"], link(site)) == ("taken-back", "1", "releases/1")
    assert "twinit rollback" in app["last_roll_why"]


def test_afterwards_a_rollback_is_a_roll_and_there_is_no_second_one(make_site):
    site = make_site(env=GATED)
    status, said = give(site, "rollback")
    assert status == 1 and "no release before this one is known" in said, said
    with load(site) as crowd:
        crowd.wait_answers(20)
        assert give(site, "deploy", "2")[0] == 0
        crowd.wait_answer(2)
        status, said = give(site, "rollback")
        assert status == 0 and "release 1 is active on 2 replicas" in said, said
        crowd.wait_answers(20)
    assert_answered(crowd)
    assert link(site) == "releases/1" and not too_late(crowd.records, 2)
    # Whoever goes back once more does not mean the release that was bad.
    status, said = give(site, "rollback")
    assert status == 1 and "no release before this one is known" in said, said
    assert (site.app()["release"], site.app()["rolls"], link(site)) == ("1", 2, "releases/1")


def test_two_rollbacks_at_once_inside_linger_are_one(lingering):
    site, deploy = lingering
    with load(site) as crowd:
        both = [order(site, "rollback"), order(site, "rollback")]
        ends = [finished(one) for one in both]
        crowd.wait_answers(20)
    assert ends[0][0] == 0 or ends[1][0] == 0, ends
    assert all(status == 0 or "no release before" in said for status, said in ends), ends
    assert finished(deploy)[0] == 1
    assert_answered(crowd)
    assert (site.app()["release"], link(site)) == ("1", "releases/1")


def test_hup_during_the_linger_goes_on_to_the_next_release(lingering):
    site, deploy = lingering
    site.install_release(3)
    with load(site) as crowd:
        crowd.wait_answer(2)
        site.current(3)
        site.hup()
        crowd.wait_answer(3)
        assert finished(deploy)[0] == 0
        wait_phase(site, "watch")
        # And from there back to 2, which nobody had to know.
        status, said = give(site, "rollback")
        assert status == 0 and "back from release 3 to 2" in said, said
        crowd.wait_answers(20)
    assert_answered(crowd)
    assert releases_of(crowd) == {2, 3} and not too_late(crowd.records, 3)
    assert link(site) == "releases/2"


def test_a_deploy_during_the_linger_of_a_roll_goes_on_to_what_it_names(make_site):
    site = make_site(env=LINGER)
    with load(site) as crowd:
        site.current(2)
        site.hup()
        crowd.wait_answer(2)
        deploy = order(site, "deploy", "1")
        crowd.wait_answer(1)
        wait_until("the next one lingers", SECONDS, site.app, lambda app: app["rolls"] == 1 and app["roll"] == "watch")
        status, said = give(site, "rollback")
        assert status == 0 and "back from release 1 to 2" in said, said
    assert finished(deploy)[0] == 1
    assert_answered(crowd)
    assert link(site) == "releases/2"


def test_a_deploy_during_the_linger_of_another_one_accepts_that_and_goes_on(lingering):
    site, deploy = lingering
    later = order(site, "deploy", "1")
    assert finished(deploy)[0] == 0
    wait_until("the next one lingers", SECONDS, site.app, lambda app: app["rolls"] == 1 and app["roll"] == "watch")
    status, said = give(site, "rollback")
    assert status == 0 and "back from release 1 to 2" in said, said
    assert finished(later)[0] == 1
    assert link(site) == "releases/2"


def test_a_deploy_of_nothing_during_the_linger_leaves_the_way_back(lingering):
    site, deploy = lingering
    status, said = give(site, "deploy", "nowhere")
    assert status == 1 and "nothing was touched" in said, said
    assert deploy.under_way() and site.app()["roll"] == "watch"
    status, said = give(site, "rollback")
    assert status == 0 and "back from release 2 to 1" in said, said
    assert finished(deploy)[0] == 1
    assert link(site) == "releases/1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_the_linger_leaves_nothing(lingering, number):
    site, deploy = lingering
    with load(site) as crowd:
        crowd.wait_answer(2)
        below = site.task.descendants()
        site.task.send(number)
        assert site.task.wait(SECONDS) == 0
    if number == signal.SIGTERM:
        assert not [record for record in crowd.failures() if "HTTP status 50" not in record.failure]
    assert finished(deploy)[0] == 1
    assert len(below) > 4 and site.task.since()[-1] == "twinit: stopped, exit status 0"


def group_pids(site, group):
    """Pids from outside of the masters of a group."""
    inside = {str(one["pid"]) for one in site.app()["masters"] if one["group"] == group}
    return [pid for pid in site.task.masters() if status_field(pid, "NStgid").split()[-1] in inside]


def test_old_masters_that_are_killed_during_the_linger_cost_nobody_anything(lingering):
    site, deploy = lingering
    with load(site) as crowd:
        crowd.wait_answer(2)
        for pid in group_pids(site, "old"):
            os.kill(pid, signal.SIGKILL)
        crowd.wait_answers(50)
        # Each comes back for the way back that somebody may want yet.
        wait_until("the old ones are back", SECONDS, lambda: group_pids(site, "old"), lambda pids: len(pids) == 2)
        status, said = give(site, "rollback")
        crowd.wait_answers(20)
    assert status == 0, said
    assert_answered(crowd)
    assert finished(deploy)[0] == 1 and not too_late(crowd.records, 2)


def test_new_masters_that_are_all_killed_during_the_linger_are_left_at_once(lingering):
    site, deploy = lingering
    with load(site) as crowd:
        crowd.wait_answer(2)
        for pid in group_pids(site, "active"):
            os.kill(pid, signal.SIGKILL)
        status, said = finished(deploy)
        crowd.wait_answers(50)
    assert status == 1 and "was killed by signal 9" in said, said
    assert_answered(crowd)
    assert releases_of(crowd) == {1, 2} and link(site) == "releases/1" and not too_late(crowd.records, 2)
    site.wait_masters(2)


def test_when_old_and_new_masters_are_killed_during_the_linger_requests_wait_for_who_comes_first(lingering):
    site, _ = lingering
    with load(site) as crowd:
        crowd.wait_answer(2)
        for group in ("old", "active"):
            for pid in group_pids(site, group):
                os.kill(pid, signal.SIGKILL)
        crowd.wait_answers(50)
    assert_answered(crowd)
    app = wait_until("two active masters", SECONDS, site.app, lambda app: app["ready"] == 2)
    wait_until("the symlink names what serves", SECONDS, lambda: link(site),
               lambda seen: seen == "releases/" + app["release"])
