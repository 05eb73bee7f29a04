"""What the soak does to twinit, PHP, Redis, the disks and the configuration.

A fault is a function that gets the soak and a `draw` (random numbers from 0 to 1, always as many, so that the sequence
of faults depends on the seed alone), does its harm, undoes it and returns what it did. Losses that it may cause are
told to the judge before they can happen.
"""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from clients import Lost, fpm_answer, fpm_connect, fpm_request
from judge import SECOND, Request
from lane import DRAW
from processes import children, sockets_of, stat_of, status_field, title
from support import redis_command, stack
from waiting import HOST, wait_until

STRAYS = 8  # seconds that workers without a master may live, and more
TOO_MANY = 100000


# Processes.

def inside(pid):
    """The pid that twinit and PHP know; None when it is gone."""
    found = status_field(pid, "NStgid")
    return found and int(found.split()[-1])


def choose(draw, those):
    """One of them, or None."""
    return those[int(draw * len(those))] if those else None


def send(pid, number):
    """A signal to who is perhaps gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def freeze(pids):
    """Stops them, and returns when they are stopped: then nothing that is seen of them changes any more."""
    for pid in pids:
        send(pid, signal.SIGSTOP)
    wait_until("processes %r are stopped" % pids, 10, lambda: [stat_of(pid)[:1] for pid in pids],
               lambda states: all(state in ([], ["T"], ["Z"], ["X"]) for state in states), pause=0.001)


def with_connection(pids):
    """Those of the stopped workers that have more than the listening socket."""
    return [pid for pid in pids if len(sockets_of(pid)) > 1]


def kill_frozen(soak, what, pids):
    """SIGKILL to workers, each of which may lose what it has."""
    held = with_connection(pids)
    soak.judge.killed(what, time.monotonic_ns(), [inside(pid) for pid in pids], len(held))
    for pid in pids:
        send(pid, signal.SIGKILL)
    return "workers %s, %d with a connection" % (pids, len(held))


def kill_worker(soak, draw):
    pid = choose(draw[0], soak.site.workers())
    if pid is None:
        return "nobody there"
    freeze([pid])
    return kill_frozen(soak, "kill_worker", [pid])


def kill_workers(soak, draw):
    """A quarter of them at once, as the kernel does without memory."""
    those = [pid for n, pid in enumerate(soak.site.workers()) if n % 4 == int(draw[0] * 4)]
    freeze(those)
    return kill_frozen(soak, "kill_workers", those)


def who_may_serve(master):
    """The workers of a stopped master that visitors may have met, also those that have no title of their own yet."""
    return [pid for pid in children(master) if not title(pid).startswith("php-fpm: pool ") or
            title(pid) == "php-fpm: pool www"]


def doomed(soak, what, master, seconds):
    """Stops a master that has to go, for whoever ends it; its workers may lose what they have."""
    freeze([master])
    those = who_may_serve(master)
    now = time.monotonic_ns()
    pids = [inside(pid) for pid in those]
    soak.judge.killed(what, now, pids, len(those), now + seconds * SECOND)


def kill_master(soak, draw):
    pid = choose(draw[0], soak.site.task.masters())
    if pid is None:
        return "nobody there"
    doomed(soak, "kill_master", pid, STRAYS)
    send(pid, signal.SIGKILL)
    return "master %d" % pid


def kill_masters(soak, draw):
    """All of them at once: nobody is there for a moment."""
    masters = soak.site.task.masters()
    for pid in masters:
        doomed(soak, "kill_master", pid, STRAYS)
    for pid in masters:
        send(pid, signal.SIGKILL)
    return "masters %s" % masters


def kill_tree(soak, draw):
    """A master and all its workers at once."""
    master = choose(draw[0], soak.site.task.masters())
    if master is None:
        return "nobody there"
    freeze([master])
    those = who_may_serve(master)
    freeze(those)
    said = kill_frozen(soak, "kill_tree", those)
    send(master, signal.SIGKILL)
    return "master %d, %s" % (master, said)


def end_master(soak, draw, number, seconds):
    pid = choose(draw, soak.site.task.masters())
    if pid is None:
        return "nobody there"
    doomed(soak, "end_master", pid, seconds)
    send(pid, number)
    send(pid, signal.SIGCONT)
    return "master %d" % pid


def term_master(soak, draw):
    return end_master(soak, draw[0], signal.SIGTERM, STRAYS)


def quit_master(soak, draw):
    return end_master(soak, draw[0], signal.SIGQUIT, 2 * STRAYS)


def helpers(soak):
    """Children of PID 1 that are none of its masters."""
    return [pid for pid in children(soak.site.task.pid) if title(pid).startswith("/srv/bin/twinit")]


def kill_helper(soak, draw):
    """The first one that is seen; draw says how long we let it go on."""
    deadline = time.monotonic() + 2
    while not (found := helpers(soak)) and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(draw[1] * 0.02)
    pid = choose(draw[0], found)
    if pid is None:
        return "nobody there"
    if pid in helpers(soak):
        send(pid, signal.SIGKILL)
        return "helper %d" % pid
    return "too late"


def pause(pids, seconds):
    """SIGSTOP, and SIGCONT for those that are still the same."""
    started = {pid: stat_of(pid)[19:20] for pid in pids}
    for pid in pids:
        send(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in pids:
        if stat_of(pid)[19:20] == started[pid]:
            send(pid, signal.SIGCONT)
    return "%s for %.1f s" % (pids, seconds)


def stop_worker(soak, draw):
    pid = choose(draw[0], soak.site.workers())
    return pause([pid] if pid else [], 0.1 + 1.4 * draw[1])


def stop_master(soak, draw):
    pid = choose(draw[0], soak.site.task.masters())
    return pause([pid] if pid else [], 0.1 + 1.4 * draw[1])


def stop_masters(soak, draw):
    return pause(soak.site.task.masters(), 0.1 + 0.9 * draw[1])


def stop_helper(soak, draw):
    found = helpers(soak)
    pid = choose(draw[0], found)
    return pause([pid] if pid else [], 0.1 + 1.4 * draw[1])


def crash(soak, draw, what):
    """A page that ends its worker, or itself. Its own request is not to be answered, or with 500."""
    name = "crash.%d" % soak.next_number()
    begin = time.monotonic_ns()
    try:
        with fpm_connect(soak.site.task.address, 60) as client:
            client.sendall(fpm_request("/soak.php?id=%s&do=%s" % (name, what), b"x"))
            text = "answered %.40r" % fpm_answer(client)
    except Lost as error:
        text = str(error)
    good = text == "status 500" if what == "exhaust" else text.startswith(("cut off", "Connection", "Lost"))
    outcome = "crashed" if good or what == "exhaust" and text.startswith("cut off") else "wrong"
    soak.judge.record(Request("crash", name, begin, time.monotonic_ns(), outcome, None, text))
    return text


def crash_segv(soak, draw):
    return crash(soak, draw, "segv")


def crash_killed(soak, draw):
    return crash(soak, draw, "die")


def crash_memory(soak, draw):
    return crash(soak, draw, "exhaust")


# Redis.

@contextlib.contextmanager
def sessions_may_fail(soak):
    """Until some time after: locks and connections of that time last a little."""
    begin = time.monotonic_ns()
    try:
        yield
    finally:
        soak.judge.store_fault(begin, time.monotonic_ns() + 15 * SECOND)


def seconds(draw):
    """How long Redis is away."""
    return 0.2 + 3 * draw


def redis_stop(soak, draw):
    with sessions_may_fail(soak):
        soak.site.stop_redis()
        time.sleep(seconds(draw[0]))
        soak.site.start_redis()
    return "stopped, started"


def redis_kill(soak, draw):
    with sessions_may_fail(soak):
        soak.site.redis.send(signal.SIGKILL)
        soak.site.redis.wait()
        time.sleep(seconds(draw[0]))
        soak.site.start_redis()
    return "killed, started"


def redis_freeze(soak, draw):
    with sessions_may_fail(soak):
        soak.site.redis.send(signal.SIGSTOP)
        time.sleep(seconds(draw[0]))
        soak.site.redis.send(signal.SIGCONT)
    return "%.1f s" % seconds(draw[0])


def redis_pause(soak, draw):
    ms = str(int(1000 * seconds(draw[0])))
    with sessions_may_fail(soak):
        redis_command(soak.site, "CLIENT", "PAUSE", ms)
        time.sleep(int(ms) / 1000)
    return "%s ms" % ms


def redis_settings(soak, draw, there, back):
    """A command, and after a while the other one, by a connection that was there before: new ones may be refused."""
    with sessions_may_fail(soak), socket.create_connection((HOST, soak.site.redis_port), timeout=10) as connection:
        answers = connection.makefile()
        for command in (there, back):
            connection.sendall(command.encode() + b"\r\n")
            answer = answers.readline().strip()
            if answer != "+OK":
                raise RuntimeError("Redis answered %r to %s" % (answer, command))
            if command == there:
                time.sleep(seconds(draw))
    return there


def redis_password(soak, draw):
    return redis_settings(soak, draw[0], "CONFIG SET requirepass soak", 'CONFIG SET requirepass ""')


def redis_replica(soak, draw):
    return redis_settings(soak, draw[0], "REPLICAOF %s 1" % HOST, "REPLICAOF NO ONE")


def redis_full(soak, draw):
    return redis_settings(soak, draw[0], "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 256mb")


def redis_crowded(soak, draw):
    return redis_settings(soak, draw[0], "CONFIG SET maxclients 3", "CONFIG SET maxclients 10000")


# Disks and configuration.

def fill(folder):
    """Every byte of a file system."""
    with open(folder / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    with open(folder / "filler", "ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x")


def use_inodes(folder):
    """Every inode of a file system."""
    (folder / "many").mkdir()
    with contextlib.suppress(OSError):
        for number in range(TOO_MANY):
            (folder / "many" / str(number)).touch()


def full(folder, draw):
    fill(folder)
    time.sleep(seconds(draw))
    (folder / "filler").unlink()
    return "%.1f s" % seconds(draw)


def no_inodes(folder, draw):
    with contextlib.suppress(OSError):  # no place for the folder itself: then there is none left already
        use_inodes(folder)
    time.sleep(seconds(draw))
    shutil.rmtree(folder / "many", ignore_errors=True)
    return "%.1f s" % seconds(draw)


def run_dir_full(soak, draw):
    return full(soak.site.task.run_dir, draw[0])


def run_dir_inodes(soak, draw):
    return no_inodes(soak.site.task.run_dir, draw[0])


def releases_full(soak, draw):
    return full(soak.site.directory / "app" / "shared", draw[0])


def releases_inodes(soak, draw):
    return no_inodes(soak.site.directory / "app" / "shared", draw[0])


def broken_file(path, text, draw):
    """Something else in a file for a while."""
    good = path.read_text()
    stack_write(path, text)
    time.sleep(seconds(draw))
    stack_write(path, good)
    return "%s for %.1f s" % (path.name, seconds(draw))


def stack_write(path, text):
    """All at once, as whoever reads it sees it."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    temporary.chmod(0o644)
    temporary.replace(path)


def fpm_config_bad(soak, draw):
    path = soak.site.task.fpm_config / "pool.d" / "zz-soak.conf"
    return broken_file(path, "[www]\nno such key = 1\n", draw[0])


def fpm_config_other(soak, draw):
    """Another address, which a roll cannot take over."""
    path = soak.site.task.fpm_config / "pool.d" / "zz-soak.conf"
    return broken_file(path, "[www]\nlisten = 127.0.0.1:1\n", draw[0])


def twinit_config_bad(soak, draw):
    with soak.configuring:
        return broken_file(soak.config, "[app www]\nreplicas = many\n", draw[0])


# What PID 1 and PHP may have.

class Births:
    """Masters that begin while a `with` lasts.

    FPM ends when it cannot make all its workers, and takes those that it has made, and what they serve, with it.
    """

    def __init__(self, soak):
        self._task = soak.site.task
        self._before = set(self._task.masters())
        self._born = {}  # master -> {pids of its workers, as they know them}
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def _look(self):
        while not self._over.wait(0.002):
            for master in set(self._task.masters()) - self._before:
                self._born.setdefault(master, set()).update(filter(None, map(inside, children(master))))

    def __enter__(self):
        self._looking = self._pool.submit(self._look)
        return self

    def __exit__(self, *_):
        self._over.set()
        self._pool.shutdown()
        self._looking.result()  # raises what ended it before its time

    def died(self):
        """The workers of those that are no longer there, as far as they were seen."""
        return [pid for master in set(self._born) - set(self._task.masters()) for pid in self._born[master]]


def descriptors(soak, draw):
    """PID 1 has a few left, or none."""
    pid = soak.site.task.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    few = max(3, len(os.listdir("/proc/%d/fd" % pid)) - 2 + int(8 * draw[0]))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[1]))
    time.sleep(0.2 + draw[1])
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    return "%d for %.1f s" % (few, 0.2 + draw[1])


def processes(soak, draw):
    """The container gets a few more processes, or none."""
    few = soak.group.count() + int(6 * draw[0])
    before = set(map(inside, soak.site.task.masters()))
    begin = time.monotonic_ns()
    with Births(soak) as births:
        soak.group.limit(few)
        time.sleep(0.2 + 1.5 * draw[1])
        soak.group.limit("max")
        time.sleep(0.1)  # for the last of them to give up
    died = births.died()
    end = time.monotonic_ns()
    soak.judge.killed("processes", begin, died, len(died), end)
    soak.judge.stillborn("processes", begin, end, before | set(map(inside, soak.site.task.masters())))
    return "%d for %.1f s, %d workers of masters that could not start" % (few, 0.2 + 1.5 * draw[1], len(died))


def log_stalls(soak, draw):
    """Nobody reads the log."""
    with soak.listener.closed():
        time.sleep(0.5 + 3 * draw[0])
    return "%.1f s" % (0.5 + 3 * draw[0])


# The control socket.

def connect(soak):
    """A client of PID 1; None when it is not let in."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    try:
        client.connect(str(soak.site.task.run_dir / "control"))
    except OSError:
        client.close()
        return None
    return client


def control_silent(soak, draw):
    """All places are taken by clients that say nothing."""
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(client) for client in (connect(soak) for _ in range(40)) if client]
        time.sleep(0.5 + 6 * draw[0])
    return "%d clients for %.1f s" % (len(clients), 0.5 + 6 * draw[0])


def control_garbage(soak, draw):
    """Bytes without any sense, of any length."""
    for number in range(20):
        client = connect(soak)
        if client is None:
            continue
        with client, contextlib.suppress(OSError):
            client.sendall(bytes((number * 37 + at * 11 + int(draw[0] * 255)) % 256
                                 for at in range(int(draw[number % DRAW] * 3000))))
            if number % 2:
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
    return "20 clients"


def control_flood(soak, draw):
    """Many who want to know at the same time."""
    words = [["status", "--json"], ["health"], ["status"], ["sessions"]]

    def ask(number):
        for turn in range(5):
            soak.site.task.twinit(*words[(number + turn) % len(words)], timeout=60)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "30 questions"


def control_leaver(soak, draw):
    """Somebody who asks and does not wait."""
    environment = {"TWINIT_RUN_DIR": str(soak.site.task.run_dir), "PATH": stack.PATH}
    for number in range(10):
        question = choose(draw[number % DRAW], ["sessions", "status", "health"])
        asking = subprocess.Popen([str(soak.site.binary), question], env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.01 * draw[number % DRAW])
        asking.kill()
        asking.wait()
    return "10 clients"


# Which lane does what, and how often it is drawn.

LANES = {
    "kills": {kill_worker: 6, kill_workers: 1, kill_master: 3, kill_masters: 1, kill_tree: 2, kill_helper: 4,
              term_master: 1, quit_master: 1, crash_segv: 2, crash_killed: 2, crash_memory: 1},
    "stops": {stop_worker: 3, stop_master: 2, stop_masters: 1, stop_helper: 1, kill_helper: 1, kill_worker: 2},
    "surroundings": {redis_stop: 1, redis_kill: 1, redis_freeze: 1, redis_pause: 1, redis_password: 1,
                     redis_replica: 1, redis_full: 1, redis_crowded: 1, run_dir_full: 1, run_dir_inodes: 1,
                     releases_full: 1, releases_inodes: 1, fpm_config_bad: 1, fpm_config_other: 1,
                     twinit_config_bad: 1, descriptors: 3, processes: 3, log_stalls: 1},
    "control": {control_silent: 1, control_garbage: 3, control_flood: 1, control_leaver: 3},
}
