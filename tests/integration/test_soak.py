"""The judge of the soak is judged: one that cannot find a fault would always be content. And its seed is kept."""

import itertools
import sys

import pytest

from support import REPO

sys.path.insert(0, str(REPO / "tests" / "soak"))
from faults import LANES  # noqa: E402 (found by the line above)
from judge import SECOND, Announcement, Judge, Request  # noqa: E402
from lane import draws  # noqa: E402

END = 1000


class Story:
    """Told in seconds; release 1 serves first."""

    def __init__(self):
        self.judge = Judge(1)
        self.count = 0

    def request(self, begin, end, outcome="ok", release=1, pid=10, begun=None, master=1):
        """A request, which PHP began with in this worker; pid None: it never did."""
        self.count += 1
        name = "get.%d" % self.count
        if pid is not None:
            at = int(SECOND * (begin if begun is None else begun))
            self.judge.announced(name, Announcement(pid, master, release, at))
        answered = release if outcome == "ok" else None
        self.judge.record(Request("get", name, int(begin * SECOND), int(end * SECOND), outcome, answered, None))

    def killed(self, at, *pids, room=1, until=None):
        """Workers die."""
        self.judge.killed("kill", int(at * SECOND), pids, room, until and int(until * SECOND))

    def may(self, at, *releases):
        """A roll begins that may lead to these, one after the other."""
        for release in releases:
            self.judge.may(release, int(at * SECOND))

    def is_now(self, at, release):
        """It is over."""
        self.judge.is_now(release, int(at * SECOND))

    def verdict(self):
        """Why, for each bad thing; and how many losses were a killed worker's own."""
        self.judge.work(END * SECOND)
        return [bad.why for bad in self.judge.bad], sum(self.judge.own.values())


@pytest.fixture
def story():
    return Story()


def test_a_good_answer_is_good(story):
    story.request(1, 2)
    assert story.verdict() == ([], 0)
    assert story.judge.requests == {("get", "ok"): 1}


@pytest.mark.parametrize("outcome", ["lost", "wrong", "session"])
def test_what_nobody_caused_is_bad(story, outcome):
    story.request(1, 2, outcome)
    assert story.verdict() == ([outcome], 0)


def test_a_session_that_fails_beside_a_fault_of_its_store_is_not(story):
    story.judge.store_fault(2 * SECOND, 3 * SECOND)
    story.request(1, 2.5, "session")
    story.request(3.5, 4, "session")
    assert story.verdict() == (["session"], 0)


def test_the_request_of_a_killed_worker_is_its_own(story):
    story.request(1, 2, "lost")
    story.killed(1.5, 10)
    assert story.verdict() == ([], 1)


def test_a_killed_worker_had_one_request(story):
    story.request(1, 2, "lost")
    story.request(1, 2, "lost")
    story.killed(1.5, 10)
    assert story.verdict() == (["lost"], 1)


def test_the_request_of_another_worker_is_not_the_killed_ones(story):
    story.request(1, 2, "lost", pid=11)
    story.killed(1.5, 10)
    assert story.verdict() == (["lost"], 0)


def test_a_loss_before_the_kill_or_a_request_after_it_is_not_the_killed_ones(story):
    story.request(1, 1.4, "lost")
    story.killed(1.5, 10)
    story.request(1.6, 2, "lost")
    story.request(1, 2, "lost", begun=1.6)
    assert story.verdict() == (["lost"] * 3, 0)


def test_what_php_had_not_begun_with_needs_a_worker_that_had_a_connection(story):
    story.request(1, 2, "lost", pid=None)
    story.killed(1.5, 10, room=0)
    assert story.verdict() == (["lost"], 0)


def test_each_worker_with_a_connection_explains_one_loss(story):
    for _ in range(3):
        story.request(1, 2, "lost", pid=None)
    story.killed(1.5, 10, 11, 12, room=2)
    assert story.verdict() == (["lost"], 2)


def test_workers_that_end_some_time_later_lose_what_they_begin_until_then(story):
    story.request(3, 4, "lost", pid=10)
    story.request(6, 7, "lost", pid=11)
    story.killed(1, 10, 11, room=2, until=5)
    assert story.verdict() == (["lost"], 1)


def test_a_master_that_could_not_start_loses_what_its_workers_have_each_once(story):
    story.request(1, 2, "lost", pid=10, master=7)
    story.request(1, 2, "lost", pid=10, master=7)
    story.request(1, 2, "lost", pid=11, master=3)
    story.request(5, 6, "lost", pid=12, master=7)
    story.request(1, 2, "lost", pid=None)
    story.judge.stillborn("processes", SECOND // 2, 3 * SECOND, {1, 3})
    assert story.verdict() == (["lost"] * 4, 1)


def test_a_release_that_no_roll_led_to_is_of_the_past(story):
    story.request(1, 2, release=2)
    assert story.verdict() == (["past"], 0)


def test_both_releases_may_answer_during_a_roll(story):
    story.may(1, 2)
    story.request(1, 2, release=1)
    story.request(1, 2, release=2)
    story.request(1.5, 3, release=1)
    assert story.verdict() == ([], 0)


def test_what_begins_after_an_answer_of_the_new_release_never_gets_the_old_one(story):
    story.may(1, 2)
    story.request(1, 2, release=2)
    story.request(2.1, 3, release=1)
    assert story.verdict() == (["past"], 0)


def test_what_begins_after_the_end_of_a_roll_never_gets_the_old_one(story):
    story.may(1, 2)
    story.is_now(2, 2)
    story.request(1.9, 3, release=1)
    story.request(2.1, 3, release=1)
    assert story.verdict() == (["past"], 0)


def test_a_roll_that_failed_had_no_visitor(story):
    story.may(1, 2)
    story.request(1.5, 1.9, release=2)
    story.is_now(2, 1)
    assert story.verdict()[0] == ["release 1 serves, and nothing was to lead there"]


def test_a_release_that_failed_gets_no_visitor_later(story):
    story.may(1, 2)
    story.is_now(2, 1)
    story.request(2.1, 3, release=2)
    story.request(2.1, 3, release=1)
    assert story.verdict() == (["past"], 0)


def test_a_roll_that_is_taken_back_may_be_seen(story):
    story.may(1, 2, 1)
    story.request(1, 2, release=2)
    story.request(2.1, 3, release=1)
    story.is_now(4, 1)
    story.request(4.1, 5, release=2)
    assert story.verdict() == (["past"], 0)


def test_who_saw_the_old_release_again_while_the_new_one_stayed_is_found(story):
    story.may(1, 2, 1)
    story.request(1, 2, release=2)
    story.request(2.1, 3, release=1)
    story.is_now(4, 2)
    assert story.verdict()[0] == ["release 2 serves, and nothing was to lead there"]


def test_code_of_two_releases_in_one_answer_is_wrong(story):
    story.judge.announced("mixed", Announcement(10, 1, 2, SECOND))
    story.judge.record(Request("get", "mixed", SECOND, 2 * SECOND, "ok", 1, None))
    assert story.verdict() == (["wrong"], 0)


def actions(seed, name="kills"):
    """The first thousand of a lane."""
    return list(itertools.islice(draws(seed, name, LANES[name], 1.0), 1000))


def test_a_seed_draws_the_same_faults_again():
    assert actions("7") == actions("7")
    assert actions("7") != actions("8")


@pytest.mark.parametrize("name", LANES)
def test_each_fault_has_its_turn(name):
    assert {kind for _, kind, _ in actions("7", name)} == set(LANES[name])
