"""One visitor with many requests at the same time: what session locking keeps and what is lost without it.

doc/sessions.md quotes the figures.
"""

import http.client
import threading
from collections import Counter

import pytest

from support import HOST, QUICK_STOP, redis_command, wait_until

CLIENTS, REQUESTS, ROLLS = 8, 1000, 20
SESSION = "onevisitorwithmanytabs"
KEY = "PHPREDIS_SESSION:" + SESSION
PHPREDIS_5_WAITS = {"redis.session.lock_wait_time": 2000, "redis.session.lock_retries": 10}  # 20 ms in all


class Tabs:
    """CLIENTS threads that send `requests` each with one visitor's cookie, on a connection of its own each.

    None goes further than allow() said.
    """

    def __init__(self, site, page, requests):
        # There already: an id that PHP did not hand out would be refused.
        redis_command(site, "SETEX", KEY, "3600", "count|i:0;")
        self._port, self._page = site.port, page
        self._allowed = 0
        self._news = threading.Condition()
        self.answers = []  # (status, text); a list's append is atomic
        self._threads = [threading.Thread(target=self._run, args=(requests,), daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def allow(self, requests):
        """Each thread may have sent that many."""
        with self._news:
            self._allowed = requests
            self._news.notify_all()

    def _run(self, requests):
        for number in range(requests):
            with self._news:
                self._news.wait_for(lambda goal=number: goal < self._allowed)
            self.answers.append(self._ask())

    def _ask(self):
        connection = http.client.HTTPConnection(HOST, self._port, timeout=60)
        try:
            connection.request("GET", self._page, headers={"Cookie": "PHPSESSID=" + SESSION, "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error)
        finally:
            connection.close()

    def done(self):
        """No thread is left."""
        return not any(thread.is_alive() for thread in self._threads)

    def statuses(self):
        """How many answers had which status."""
        return Counter(status for status, _ in self.answers)


def count_through_rolls(site):
    """(what the session's counter says at the end, how many answers had which status)."""
    tabs = Tabs(site, "/session.php", REQUESTS)
    for roll in range(ROLLS):
        before = len(tabs.answers)
        tabs.allow((roll + 1) * REQUESTS // ROLLS)  # some for every roll, however long it takes
        site.roll_to(2 - roll % 2)
        assert len(tabs.answers) - before >= CLIENTS, "roll %d met no requests" % roll
    wait_until("all answers", 300, tabs.done)
    assert len(tabs.answers) == CLIENTS * REQUESTS
    return stored_count(site), tabs.statuses()


def stored_count(site):
    """The counter in the store itself."""
    text = redis_command(site, "GET", KEY)
    assert text.startswith("count|i:") and text.endswith(";"), text
    return int(text[len("count|i:"):-1])


def test_8000_requests_of_one_visitor_count_8000_through_20_rolls(make_site):
    site = make_site(env=QUICK_STOP)
    count, statuses = count_through_rolls(site)
    print("locking as shipped: counted %d of %d, answers %r" % (count, CLIENTS * REQUESTS, dict(statuses)))
    assert statuses == {200: CLIENTS * REQUESTS}
    assert count == CLIENTS * REQUESTS


def test_without_locking_requests_are_lost(make_site):
    """Or the test above shows nothing."""
    site = make_site(ini={"redis.session.locking_enabled": 0}, env=QUICK_STOP)
    count, statuses = count_through_rolls(site)
    print("no locking: counted %d of %d, answers %r" % (count, CLIENTS * REQUESTS, dict(statuses)))
    assert statuses == {200: CLIENTS * REQUESTS}, "nobody is told"
    assert count < CLIENTS * REQUESTS


@pytest.mark.parametrize("waits, whole", [({}, True), (PHPREDIS_5_WAITS, False)], ids=["as shipped", "20 ms"])
def test_a_lock_must_be_waited_for_longer_than_a_page_takes(make_site, waits, whole):
    site = make_site(ini=waits, env=QUICK_STOP)
    tabs = Tabs(site, "/keep.php", 10)
    tabs.allow(10)
    wait_until("all answers", 60, tabs.done)
    count, statuses = stored_count(site), tabs.statuses()
    print("50 ms in the session, %r: counted %d of %d, answers %r" % (waits, count, CLIENTS * 10, dict(statuses)))
    assert statuses == {200: CLIENTS * 10}, "nobody is told"
    assert (count == CLIENTS * 10) is whole
