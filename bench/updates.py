"""What an update of the code costs with twinit and with each of its peers: lost requests, waiting, mixed code, time."""

import contextlib
import http.client
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import stack
from common import BenchError, Wrk, interleave, number, progress, ratio_interval, total
from peers import PEERS, WORKERS, Apache, Haproxy, NextUpstream, Reload, Twinit
from serving import NAP_MS
from times import wait_answer
from visitors import Crowd, SlowClient

WAIT_MS = 10000  # the request that is in flight
MIXED_MS = 2000
QUEUE_NAP_MS = 50


def present():
    """The peers whose programs are there; the others are left out, and that is said."""
    for peer in PEERS:
        if peer.missing():
            print("bench: %s is left out, not installed: %s; `tools/deps --bench` installs it"
                  % (peer.name, ", ".join(peer.missing())))
    return [peer for peer in PEERS if not peer.missing()]


@contextlib.contextmanager
def all_sites(bench, kinds):
    """{name: peer} of these peers, all of which run: one is measured, the others are idle."""
    with contextlib.ExitStack() as cleanup:
        yield {kind.name: cleanup.enter_context(kind(bench)) for kind in kinds}


def in_columns(found):
    """{peer: {measure: samples}} of {peer: [{measure: sample}]}."""
    return {name: {key: [one[key] for one in results] for key in results[0]} for name, results in found.items()}


def publish(bench, name, note, rows, ratio=None):
    """A table of {peer: {measure: samples}}; ratio names the measure that is told as a multiple of twinit's, too."""
    columns, times = list(next(iter(rows.values()))), "%s, times twinit's [95 %%]" % ratio
    table = bench.table(name, note, [*columns, *([times] if ratio else [])])
    ours = rows[Twinit.name].get(ratio)
    for peer, cells in rows.items():
        table.add_all(peer, cells)
        if ratio and peer != Twinit.name:
            found = ratio_interval(cells[ratio], ours)
            table.add(peer, times, "%s [%s–%s]" % tuple(map(number, found)) if found else "")
    bench.publish(table)


# 1: lost requests.

def lost_by(bench, peer, updates):
    """Updates of one peer under full load, every request counted."""
    path = "/mix.php?nap=5"
    with peer(bench) as site:
        slow = [SlowClient(site.site.port, path, "whole") for _ in range(4)]
        took = []
        with Wrk(site.url(), 2 * WORKERS, script="mix.lua", words=(NAP_MS,)) as load:
            for client in slow:
                client.start()
            time.sleep(1)
            for turn in range(updates):
                progress("lost: %s, update %d of %d" % (peer.name, turn + 1, updates))
                begin = time.monotonic()
                site.update()
                took.append((time.monotonic() - begin) * 1000)
                time.sleep(0.3)
            found = load.stop()
        for client in slow:
            client.stop()
    failures = Counter(found["failures"])
    for client in slow:
        failures.update(client.failures)
    return {"requests": found["requests"] + sum(client.done for client in slow), "failed": sum(failures.values()),
            "failed per update": sum(failures.values()) / updates, "update, ms": took, "kinds": total([failures])}


def lost(bench):
    """Requests lost in updates at full load: POST, short, busy and slow ones, slow clients; by kind."""
    updates = bench.count(50, 5)
    rows = {peer.name: lost_by(bench, peer, updates) for peer in present()}
    publish(bench, "lost", "%d updates each under %d connections without a pause (POST; of 40 requests 3 burn 5 ms of CPU "
            "time, one naps %d ms) and 4 slow clients; web-server retries off, but for nginx with two masters, whose way "
            "they are; who failed asks again after 20 ms" % (updates, 2 * WORKERS, NAP_MS), rows)


# 2: waiting.

def wait_of(peer):
    """The longest wait for a right answer while an update meets a long request."""
    failures = []

    def ask():
        try:
            answer = peer.site.get("/mix.php?wait=%d" % WAIT_MS)
            if answer.status != 200:
                failures.append("HTTP %d" % answer.status)
            elif not answer.body.endswith(" whole"):
                failures.append("wrong answer")
        except (OSError, http.client.HTTPException) as error:
            failures.append(type(error).__name__)

    long = threading.Thread(target=ask, daemon=True)
    with Crowd(WORKERS // 2, peer.site.port, "/ping.php", right="pong ", pause=0.005) as crowd:
        time.sleep(0.5)
        long.start()
        time.sleep(0.3)
        begin = time.monotonic()
        peer.update()
        took = time.monotonic() - begin
        long.join()
        time.sleep(0.3)
    return {"longest wait, ms": crowd.longest_ms, "update, ms": took * 1000, "failed tries": sum(crowd.failures.values()),
            "the long request": failures[0] if failures else "answered"}


def wait(bench):
    """Longest time until a right answer during an update that meets a request of ten seconds."""
    rounds = bench.count(3, 1)
    with all_sites(bench, present()) as sites:
        found = interleave("wait", rounds, sites, lambda name: wait_of(sites[name]))
    rows = in_columns(found)
    for row in rows.values():
        outcomes = Counter(row["the long request"])
        row["the long request"] = ", ".join("%d × %s" % item[::-1] for item in outcomes.items())
    publish(bench, "wait", "%d rounds: one update while a request of %d s is in flight; %d visitors with pauses of 5 ms, who "
            "ask again after 20 ms when they fail: their wait is until the right answer"
            % (rounds, WAIT_MS // 1000, WORKERS // 2), rows, "longest wait, ms")


def continuous_of(peer, seconds, every):
    """wrk's figures of paced short requests while an update is begun every so many seconds; 0: none."""
    with Wrk(peer.url(), WORKERS, seconds, words=(5, "pong ")) as load:
        end = time.monotonic() + seconds - every
        next_one = time.monotonic() + every / 2
        while every and next_one < end:
            time.sleep(max(0.0, next_one - time.monotonic()))
            peer.update()
            next_one += every
        return load.wait()


def continuous(bench):
    """p50, p99 and p99.9 while an update is begun every two seconds, against steady state."""
    rounds, seconds, every = bench.count(2, 1), bench.count(10, 7), 2.0
    rows = {}
    for kind in present():
        found = {"steady": [], "updates": []}
        with kind(bench) as peer:
            continuous_of(peer, 5, every)  # caches, and one update
            for turn in range(rounds):
                for state in ("steady", "updates") if turn % 2 == 0 else ("updates", "steady"):
                    progress("continuous: %s, round %d of %d, %s" % (kind.name, turn + 1, rounds, state))
                    found[state].append(continuous_of(peer, seconds, every if state == "updates" else 0))
        row = rows[kind.name] = {}
        for key in ("p50", "p99", "p999"):
            for state, results in found.items():
                row["%s %s, ms" % (key.replace("999", "99.9"), state)] = [one[key] for one in results]
        pairs = [after["p99"] / before["p99"] for after, before in zip(found["updates"], found["steady"])]
        row["p99, updates / steady"] = pairs
        row["failures"] = total([one["failures"] for one in found["updates"]])
    publish(bench, "continuous", "%d pairs of %d s, an update every %g s, %d connections with pauses of 5 ms; a failure is "
            "an answer in the percentiles, and a quick one" % (rounds, seconds, every, WORKERS), rows)


# 4: in steady state.

def proxies(bench):
    """Requests/s and waiting without any update, through twinit, bare php-fpm and the balancers."""
    rounds, seconds = bench.count(10, 2), 3
    kinds = [kind for kind in (Twinit, Reload, NextUpstream, Haproxy, Apache) if not kind.missing()]
    with all_sites(bench, kinds) as sites:
        def short(name):
            with Wrk(sites[name].url(), 2 * WORKERS, seconds) as load:
                return load.wait()

        def queue(name):
            with Wrk(sites[name].url(), 2 * WORKERS, seconds, "mix.lua", (QUEUE_NAP_MS,)) as load:
                return load.wait()

        for name in sites:
            short(name)  # caches
        alone = interleave("proxies, short", rounds, sites, short)
        mixed_load = interleave("proxies, queue", rounds, sites, queue)
    rows = {name: {"requests/s": [one["rate"] for one in alone[name]], "p50, ms": [one["p50"] for one in alone[name]],
                   "p99, ms": [one["p99"] for one in alone[name]],
                   "queue: requests/s": [one["rate"] for one in mixed_load[name]],
                   "queue: p99, ms": [one["p99"] for one in mixed_load[name]],
                   "failures": total([one["failures"] for one in (*alone[name], *mixed_load[name])])} for name in sites}
    publish(bench, "proxies", "%d rounds of %d s, %d connections without a pause, %d workers: /ping.php; and (queue) POSTs of "
            "which 3 in 40 burn 5 ms of CPU time and one naps %d ms, so that some workers are busy for long: twinit and php-fpm "
            "have one queue, the others one for each master" % (rounds, seconds, 2 * WORKERS, WORKERS, QUEUE_NAP_MS), rows,
            "requests/s")


# 3: mixed code.

def mixed_in(peer):
    """(answers, old ones begun after the first new one had ended, answers of both releases) of one update."""
    old = str(peer.release)
    with Crowd(WORKERS, peer.site.port, "/mixed.php", pause=0.01) as crowd:
        time.sleep(0.3)
        long = threading.Thread(target=peer.site.get, args=["/mix.php?wait=%d" % MIXED_MS], daemon=True)
        long.start()
        time.sleep(0.1)
        peer.update()
        long.join()
        time.sleep(0.3)
    answers = [visit for visit in crowd.visits if visit.text is not None]
    first_new = min((visit.end for visit in answers if visit.text == str(peer.release)), default=None)
    if first_new is None:
        raise BenchError("%s: no answer of the new release" % peer.name)
    late = sum(visit.text == old and visit.begin > first_new for visit in answers)
    return len(answers), late, sum(" and " in visit.text for visit in answers)


def mixed(bench):
    """Answers of the old release after the first of the new one, and answers that contain both."""
    rounds = bench.count(10, 3)
    rows = {}
    for kind in present():
        with kind(bench, pool={"pm.max_requests": "200"}) as peer:
            found = []
            for turn in range(rounds):
                progress("mixed: %s, update %d of %d" % (kind.name, turn + 1, rounds))
                found.append(mixed_in(peer))
        answers, late, both = zip(*found)
        rows[kind.name] = {"answers": sum(answers), "old after new": sum(late), "old after new per update": list(late),
                           "of both releases": sum(both)}
    publish(bench, "mixed", "%d updates each, %d visitors; one request of %d s in flight; a page that includes 200 files by "
            "the path of the symlink (190 that all requests have in common, 10 of 5,000 others), which moves when the update "
            "begins; old after new: begun when an answer of the new release was there already; "
            "pm.max_requests = 200" % (rounds, WORKERS, MIXED_MS // 1000), rows)


# 5: how long it takes.

def time_of(peer):
    """ms from the beginning of one update to its steps, without load."""
    old, target = set(peer.workers()), 3 - peer.release
    if not old:
        raise BenchError("%s: there are no workers" % peer.name)
    # The update is in our own thread: what a thread starts is killed when that thread ends.
    with ThreadPoolExecutor(1) as asking:
        begin = time.monotonic()
        answer = asking.submit(wait_answer, peer.site, "pong %d" % target)
        peer.update()
        over = time.monotonic()
        stack.wait_for("%s: the old workers are gone" % peer.name, lambda: old.isdisjoint(peer.workers()), 60, pause=0.002)
        gone = time.monotonic()
        new = answer.result()
    for task in peer.site.tasks:
        task.check()
    time.sleep(0.3)  # the machine calms down
    return {"first new answer, ms": (new - begin) * 1000, "update, ms": (over - begin) * 1000,
            "last old worker gone, ms": (gone - begin) * 1000}


def duration(bench):
    """How long an update takes: until the first new answer, until it is over, until the last old worker is gone."""
    rounds = bench.count(10, 3)
    with all_sites(bench, present()) as sites:
        found = interleave("duration", rounds, sites, lambda name: time_of(sites[name]))
    publish(bench, "duration", "%d updates each, no load, no request in flight; asked every 3 ms" % rounds, in_columns(found),
            "update, ms")
