"""Item 6, second half, and item 7: Redis comes and goes, and two tasks share one."""

import itertools
import subprocess
import threading

import pytest

from clients import Crowd, fpm_post, post, release_of_check
from support import QUICK_STOP, SECONDS, errors_of, port_problem, start_and_wait_for_end, wait_until

OFTEN = {"TWINIT_SESSIONS_EVERY": "300ms", **QUICK_STOP}


# Redis is stopped.

def test_redis_stopped_and_back_is_degraded_and_well_again_by_itself(make_site):
    site = make_site(env=OFTEN)
    cookie = site.get("/session.php").headers["Set-Cookie"].partition(";")[0]
    address = "127.0.0.1:%d" % site.redis_port
    with Crowd(4, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(50)
        site.stop_redis()
        status = wait_until("twinit noticed", SECONDS, site.task.status_json, lambda status: status["degraded"])
        assert status["healthy"] is True
        assert address in status["why"] and "refused" in status["why"]
        crowd.wait_answers(50)

        health = site.task.twinit("health")
        assert health.returncode == 0
        assert health.stdout.startswith("healthy, degraded: ") and address in health.stdout
        sessions = site.task.twinit("sessions")
        assert sessions.returncode == 1
        assert address in sessions.stdout and "refused" in sessions.stdout
        assert "LOST" in site.task.twinit("status").stdout
        assert status["apps"][0]["sessions"]["state"] == "failed"
        assert len(site.task.masters()) == 2

        site.start_redis()
        wait_until("well again", SECONDS, site.task.status_json, lambda status: not status["degraded"])
        crowd.wait_answers(50)
    assert not crowd.failures() and not crowd.refused()
    assert site.task.twinit("sessions").returncode == 0
    assert site.get("/session.php", cookie=cookie).body == "2"
    # Once each, however often it was asked meanwhile.
    assert len(site.said("session store lost, serving on without it: .*%s.*refused" % address)) == 1
    assert len(site.said("session store is well: %s" % address)) == 1


def test_a_roll_without_the_session_store_is_refused_and_the_old_masters_serve_on(make_site):
    site = make_site(env=OFTEN)
    masters = site.task.masters()
    site.stop_redis()
    site.current(2)
    done = site.task.twinit("restart")
    assert done.returncode == 1
    assert "roll refused, nothing was touched: session store: " in done.stdout
    assert "127.0.0.1:%d" % site.redis_port in done.stdout
    assert site.task.masters() == masters
    assert release_of_check(post(site.port, "/check.php")) == 1
    site.start_redis()
    assert "release 2 is active" in site.roll_to(2)[-1]


# Redis is not there at the start.

@pytest.mark.parametrize("host, port, causes", [
    ("127.0.0.1", None, ["refused"]),
    ("localhost", None, ["refused"]),
    ("no-such-host.invalid", 6379, ["resolve", "not known", "name", "lookup"]),
])
def test_redis_absent_at_boot_ends_with_69_and_a_sentence_with_host_port_and_cause(cold_site, host, port, causes):
    site = cold_site(redis=False, env={"TWINIT_SESSIONS_WAIT": "1s"})
    port = port or site.redis_port
    site.task.env = {"REDIS_HOST": host, "REDIS_PORT": str(port)}
    assert start_and_wait_for_end(site) == 69
    error, = errors_of(site.task)
    assert host in error and str(port) in error, error
    assert any(cause in error.lower() for cause in causes), error
    assert not site.lines("fpm is running|starting replica")
    assert not port_problem(site.task.port)


def test_a_redis_that_comes_within_wait_is_waited_for(cold_site):
    site = cold_site(redis=False, env={"TWINIT_SESSIONS_WAIT": "60s", **QUICK_STOP})
    site.task.start()
    wait_until("it waits", SECONDS, lambda: site.task.twinit("health").stdout, lambda text: "starting" in text)
    assert site.task.twinit("health").returncode == 1
    assert not site.task.masters()
    site.start_redis()
    site.task.wait_ready()
    assert release_of_check(fpm_post(site.task.address, "/check.php")) == 1


def test_something_that_is_no_redis_is_named_at_boot(cold_site):
    site = cold_site(redis=False, env={"TWINIT_SESSIONS_WAIT": "1s"})
    site.start_nginx()  # speaks HTTP
    site.task.env = {"REDIS_PORT": str(site.port)}
    assert start_and_wait_for_end(site) == 69
    error, = errors_of(site.task)
    assert "127.0.0.1:%d" % site.port in error


def test_a_site_that_keeps_its_sessions_in_files_needs_no_redis(cold_site):
    site = cold_site(redis=False, ini={"session.save_handler": "files", "session.save_path": "/tmp"}, env=QUICK_STOP)
    site.task.start()
    site.task.wait_ready()
    status = site.task.status_json()
    assert (status["degraded"], status["apps"][0]["sessions"]["state"]) == (False, "not asked")
    assert release_of_check(fpm_post(site.task.address, "/check.php")) == 1


# Two tasks on one Redis, behind one nginx.

class Visitor:
    """Asks for the counter again and again with one cookie; `wrong` has every answer that is not one more."""

    def __init__(self, site, pages):
        self.site, self.pages = site, itertools.cycle(pages)
        self.cookie = self._first()
        self.count, self.wrong, self.seen = 1, [], set()

    def _first(self):
        answer = self.site.get("/session.php")
        assert (answer.status, answer.body) == (200, "1")
        return answer.headers["Set-Cookie"].partition(";")[0]

    def ask(self):
        """One more."""
        answer = self.site.get(next(self.pages), cookie=self.cookie, method="POST")
        words = answer.body.split()
        self.count += 1
        if answer.status != 200 or words[:1] != [str(self.count)]:
            self.wrong.append((self.count, answer.status, answer.body[:80]))
            raise AssertionError(self.wrong[-1])
        if len(words) > 1:
            _, release, host, replica, master = words
            self.seen.add((host, replica, release, master))
        return self.count


def test_a_visitors_counter_goes_up_by_one_a_request_through_rolls_of_both_tasks(make_site):
    site = make_site(tasks=2, env=QUICK_STOP)
    visitors = [Visitor(site, pages) for pages in (["/session.php"], ["/visit.php"], ["/session.php", "/visit.php"],
                                                   ["/visit.php", "/session.php"])]
    with Crowd(len(visitors), *[visitor.ask for visitor in visitors]) as crowd:
        for roll in range(8):
            crowd.wait_answers(150)
            site.roll_to(2 - roll % 2, site.tasks[roll // 2 % 2])
        crowd.wait_answers(150)
    assert not crowd.failures() and not crowd.refused()
    for visitor in visitors:
        assert not visitor.wrong
        assert visitor.count > 150
        # Straight from the store: the last word is the last answer.
        assert site.get("/session.php", cookie=visitor.cookie).body == str(visitor.count + 1)
    seen = set().union(*(visitor.seen for visitor in visitors))
    assert {(host, replica) for host, replica, _, _ in seen} == {(host, replica) for host in ("task1", "task2")
                                                               for replica in ("www/1", "www/2")}
    assert {release for _, _, release, _ in seen} == {"1", "2"}
    assert len({(host, master) for host, _, _, master in seen}) >= 8, "several generations of masters answered"


def test_requests_of_one_visitor_at_the_same_time_count_each(make_site):
    site = make_site(tasks=2, env=QUICK_STOP)
    cookie = Visitor(site, ["/session.php"]).cookie

    def ask():
        answer = site.get("/session.php", cookie=cookie, method="POST")
        assert answer.status == 200, answer.body
        return int(answer.body)

    with Crowd(6, ask) as crowd:
        for roll in range(4):
            crowd.wait_answers(40)
            site.roll_to(2 - roll % 2, site.tasks[roll % 2])
    assert not crowd.failures()
    counts = sorted(record.answer for record in crowd.records)
    assert counts == list(range(2, len(counts) + 2))


def test_both_tasks_say_which_store_they_use(make_site):
    site = make_site(tasks=2, env=QUICK_STOP)
    where = {site.app(task)["sessions"]["where"] for task in site.tasks}
    assert where == {"127.0.0.1:%d" % site.redis_port}
    for task in site.tasks:
        done = task.twinit("sessions")
        assert done.returncode == 0
        assert "www: ok: write: 127.0.0.1:%d: " % site.redis_port in done.stdout
        assert ": failed: " not in done.stdout and ": warning: " not in done.stdout, done.stdout


# What killed workers leave behind.

def keys(site, pattern):
    """The keys in the store that match."""
    command = ["redis-cli", "-p", str(site.redis_port), "--raw", "keys", pattern]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_the_lock_of_a_killed_worker_is_released_long_before_it_expires(make_site):
    site = make_site(env={**OFTEN, "TWINIT_APP_DRAIN_TIMEOUT": "200ms"},
                     ini={"redis.session.lock_expire": "600"})
    cookie = Visitor(site, ["/session.php"]).cookie
    holder = threading.Thread(target=lambda: site.get("/hold.php?ms=60000", cookie=cookie), daemon=True)
    holder.start()
    locks = "*" + cookie.partition("=")[2] + "_LOCK"
    wait_until("the session is locked", SECONDS, lambda: keys(site, locks))
    site.roll_to(2)
    wait_until("the lock is released", SECONDS, lambda: keys(site, locks), lambda seen: not seen)
    assert len(site.said("released 1 session lock")) == 1
    # A session that is locked for 10 minutes would make this wait 5 s and fail.
    assert site.get("/session.php", cookie=cookie).body == "2"
    holder.join()


def test_two_stores_would_have_been_noticed_by_the_counter(make_site):
    """Or the test above shows nothing: the second task keeps its sessions elsewhere."""
    other = make_site(env=QUICK_STOP)

    def split(site):
        site.tasks[1].env = {"REDIS_PORT": str(other.redis_port)}

    visitor = Visitor(make_site(before=split, tasks=2, env=QUICK_STOP), ["/session.php"])
    with pytest.raises(AssertionError):
        for _ in range(4):
            visitor.ask()
