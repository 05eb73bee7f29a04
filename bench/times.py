"""How long a roll, a start and a stop take, and how much of it is FPM's own."""

import http.client
import signal
import statistics
import subprocess
import time

import stack
from common import BenchError, fpm_program, interleave, pick
from serving import FPM, FPM_CONFIG, TWINIT, WORKERS, both

# A config of its own for each bare master: the site's, another socket, and so many workers.
MASTER = """\
include = %s
[www]
listen = /srv/sock/bench-%d.sock
pm.max_children = %d
"""


class Stamps:
    """An `echo` for a Stack: (time, line) of everything that its processes say."""

    def __init__(self):
        self.lines = []

    def write(self, text):
        """Notes the time."""
        self.lines.append((time.monotonic(), text.rstrip("\n")))

    def flush(self):
        """For those that expect a file."""

    def first(self, words, after):
        """When a line with these words was first said after a time; None when never."""
        return next((when for when, line in self.lines if when >= after and words in line), None)

    def last(self, words, after, before):
        """When such a line was last said before another time."""
        return max((when for when, line in self.lines if after <= when <= before and words in line), default=None)


def wait_answer(site, text, timeout=60):
    """Asks nginx again and again until the page is exactly this; returns when it was."""
    connection = http.client.HTTPConnection(stack.HOST, site.port, timeout=timeout)
    deadline = time.monotonic() + timeout
    try:
        while True:
            connection.request("GET", "/ping.php")
            answer = connection.getresponse()
            if answer.read().decode() == text and answer.status == 200:
                return time.monotonic()
            if time.monotonic() > deadline:
                raise BenchError("no answer %r within %g s" % (text, timeout))
            time.sleep(0.003)  # asking takes CPU time from what is measured
    finally:
        connection.close()


def one_roll(side, stamps):
    """ms from the request for a roll to its steps; without load."""
    begin = time.monotonic()
    mark = side.roll()
    new = wait_answer(side.site, "pong %d" % side.release)
    side.finished(mark)
    done = time.monotonic()
    time.sleep(0.3)  # the machine calms down
    ms = {"new": (new - begin) * 1000, "done": (done - begin) * 1000}
    cutover = stamps.first("cutover to", begin)
    if cutover is not None:
        ms.update(phases(stamps, begin, cutover, done))
    return ms


def phases(stamps, begin, cutover, done):
    """The steps of one of twinit's rolls, from the times of the lines in its log."""
    accepted = stamps.first("twinit: www: release", begin) or begin
    alive = stamps.first("using inherited socket", begin) or accepted
    ready = stamps.last("ready to handle connections", begin, cutover) or alive
    drained = stamps.first("done in", cutover) or done
    names = ("1 HUP until the roll begins", "2 until FPM says its first word", "3 until the last FPM says ready",
             "4 until the cutover", "5 until drained", "6 until done")
    points = [begin, accepted, alive, ready, cutover, drained, done]
    return {name: (end - start) * 1000 for name, start, end in zip(names, points, points[1:])}


def bare_masters(bench, site, count=1, question=None):
    """(start, stop) in ms of bare masters, started at once in the namespaces of a running task.

    question: options with which php-fpm answers something and ends instead; then start is the whole run.
    """
    for number in range(count):
        (site.task.fpm_config / ("bench-%d.conf" % number)).write_text(
            MASTER % (FPM_CONFIG, number, WORKERS // count))
    argv = [fpm_program(), *(question or ["-F"]), "-y", "/srv/php-fpm/bench-%d.conf"]
    word = "" if question else "ready to handle connections"
    command = [bench.helper, "start", str(site.task.pid), str(count), word, *argv]
    done = subprocess.run(command, env=site.task.environment(), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise BenchError("php-fpm did not start or stop as it should (see above)")
    return [int(word) / 1e6 for word in done.stdout.split()]


def roll(bench):
    """Time of a roll without load, split into FPM's own start and what twinit adds."""
    rounds, stamps = bench.count(15, 5), Stamps()
    how = {"one master": {"count": 1}, "two masters at once": {"count": 2},
           "php-fpm -tt": {"question": ["-d", "opcache.enable=0", "-tt"]}, "php-fpm -i": {"question": ["-i"]}}

    def measure(variant):
        if variant in sides:
            return one_roll(sides[variant], stamps)
        return dict(zip(("start", "stop"), bare_masters(bench, sides[FPM].site, **how[variant])))

    with both(bench, echo=stamps) as sides:
        found = interleave("roll", rounds, (TWINIT, FPM, *how), measure)
    bench.publish(roll_table(bench, found, rounds))
    bench.publish(own_table(bench, found, list(how), rounds))


def roll_table(bench, found, rounds):
    """twinit's roll against FPM's reload."""
    table = bench.table("roll", "ms, %d rounds, no load; until nginx gives the new release's page, and until "
                        "all is over" % rounds, [TWINIT, FPM], ratio=(TWINIT, FPM))
    rolled = {name: found[name] for name in (TWINIT, FPM)}
    table.add_all("until new answers", pick(rolled, "new"))
    table.add_all("until done", pick(rolled, "done"))
    for name in sorted(found[TWINIT][0]):
        if name[0].isdigit():
            table.add("  " + name, TWINIT, [one[name] for one in found[TWINIT]])
    floor = [one["start"] for one in found["two masters at once"]]
    added = [ours["new"] - theirs for ours, theirs in zip(found[TWINIT], floor)]
    table.add("what twinit adds", TWINIT, added)
    table.remark("what twinit adds: until new answers, less the start of two bare masters in the same round (below)")
    return table


def own_table(bench, found, names, rounds):
    """FPM's own start and stop, and the two questions that twinit asks it before each roll."""
    table = bench.table("FPM's own share of a roll", "ms, %d rounds; fork + exec of bare php-fpm with the same config "
                        "until it says ready; SIGQUIT until it is gone; %d workers in all" % (rounds, WORKERS), names)
    for name in names:
        asks = " -" in name
        table.add("whole run" if asks else "start", name, [one["start"] + asks * one["stop"] for one in found[name]])
        if not asks:
            table.add("stop", name, [one["stop"] for one in found[name]])
    table.remark("twinit runs -i and -tt before each roll, at the same time: what would the new masters read, and is it valid?")
    return table


def one_life(side):
    """ms from the start of the container to its first answer, and from its signal to stop until it is gone."""
    site = side.site
    begin = time.monotonic()
    site.task.start()
    ready = wait_answer(site, "pong 1")
    time.sleep(0.3)
    quit_at = time.monotonic()
    bare = site.command[0] != site.TWINIT
    if site.task.stop(signal.SIGQUIT if bare else signal.SIGTERM) != 0:
        raise BenchError("%s did not stop by itself; it said:\n%s" % (site.task.name, site.task.tail()))
    return {"start": (ready - begin) * 1000, "stop": (time.monotonic() - quit_at) * 1000}


def life(bench):
    """Start until the first answer, and graceful stop, of a container with twinit and with bare php-fpm."""
    rounds = bench.count(10, 4)
    with both(bench) as sides:
        for side in sides.values():
            side.site.task.stop()
        found = interleave("life", rounds, sides, lambda name: one_life(sides[name]))
    table = bench.table("life", "ms, %d rounds, no load; twinit stops by TERM with quiet = 0 (by default it goes on "
                        "accepting for 1 s first), php-fpm by QUIT; both with the time of unshare and mount" % rounds,
                        [TWINIT, FPM], ratio=(TWINIT, FPM))
    for row, key in (("start until first answer", "start"), ("stop", "stop")):
        samples = pick(found, key)
        table.add_all(row, samples)
        added = [ours - theirs for ours, theirs in zip(samples[TWINIT], samples[FPM])]
        table.remark("%s: twinit adds %s ms, median" % (row, round(statistics.median(added))))
    bench.publish(table)


def ask_status(site):
    """ms of one `twinit status --json`."""
    begin = time.monotonic()
    site.status_json()
    return (time.monotonic() - begin) * 1000


def status_while_asked(bench, site):
    """ms of each `twinit status` that is answered while one question to a store that hangs is under way."""
    env = {"TWINIT_RUN_DIR": str(site.task.run_dir)}
    samples = []
    with subprocess.Popen([str(bench.twinit), "sessions"], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL) as asking:
        while asking.poll() is None:
            samples.append(ask_status(site))
    return samples[:-1]  # the last one may have been answered after it


def status(bench):
    """`twinit status` while Redis is well, and while a question to a Redis that hangs is under way."""
    rounds = bench.count(5, 2)
    found = {"Redis is well": [], "Redis hangs": []}
    with bench.site(env={"TWINIT_SESSIONS_EVERY": "1h"}) as site:
        for _ in range(rounds):
            found["Redis is well"] += [ask_status(site) for _ in range(100)]
            site.redis.send(signal.SIGSTOP)
            found["Redis hangs"] += status_while_asked(bench, site)
            site.redis.send(signal.SIGCONT)
    table = bench.table("status", "ms, one process each, no load; %d questions of 2 s" % rounds, list(found))
    table.add_all("twinit status", found)
    bench.publish(table)
