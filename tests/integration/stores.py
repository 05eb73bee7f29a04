"""What can sit where a session store should be: real Redis servers in every state, and what is no Redis at all.

Each is a context manager that takes (port, folder) and puts its occupant on 127.0.0.1:port.
"""

import contextlib
import itertools
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

from support import HOST, SECONDS, free_ports, stack, wait_until

GOOD = ["--maxmemory", "256mb", "--maxmemory-policy", "noeviction", "--appendonly", "yes"]
NOT_SAVED = ["--save", "", "--appendonly", "no"]
_numbers = itertools.count()


# Real Redis.

class Redis:
    """A redis-server on host:port with a folder of its own."""

    def __init__(self, folder, port, *options, host=HOST, before=(), config=()):
        """options are those of its command line; `before` is what leads into a namespace, config a file and such."""
        self.host, self.port = host, port
        self.folder = Path(folder) / ("redis-%d" % next(_numbers))
        self.folder.mkdir()
        self.process = stack.Process("redis:%d" % port, self.folder / "log")
        self.process.start([*before, "redis-server", *config, "--bind", host, "--port", port, "--dir", self.folder,
                            "--daemonize", "no", *options], {"PATH": stack.PATH})

    def ready(self):
        """Waits until it answers anything."""
        stack.wait_for("redis", lambda: stack.can_connect((self.host, self.port)), SECONDS, self.process.check)
        return self

    def ask(self, *words):
        """What redis-cli shows."""
        done = subprocess.run(["redis-cli", "-h", self.host, "-p", str(self.port), *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS)
        return done.stdout.rstrip("\n")

    def said(self, word, *words):
        """Waits until an answer holds the word."""
        def look():
            self.process.check()
            return self.ask(*words)
        return wait_until("%s says %s" % (" ".join(words), word), SECONDS, look, lambda text: word in text)

    def stop(self):
        """Kills it, whatever it is doing."""
        self.process.send(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running(folder, port, *options, **more):
    """A Redis that answers, for the time of a `with`."""
    redis = Redis(folder, port, *options, **more)
    try:
        yield redis.ready()
    finally:
        redis.stop()


def configured(*options):
    """A fault that is a matter of its options."""
    @contextlib.contextmanager
    def fault(port, folder):
        with running(folder, port, *options):
            yield
    return fault


@contextlib.contextmanager
def stopped(_port, _folder):
    """Nobody is there."""
    yield


@contextlib.contextmanager
def hung(port, folder):
    """Accepts by the kernel, and that is all."""
    with running(folder, port, *GOOD) as redis:
        redis.process.send(signal.SIGSTOP)
        yield


@contextlib.contextmanager
def replica(port, folder):
    """Reads, and refuses to write."""
    primary = free_ports(1)
    with running(folder, primary, "--repl-diskless-sync-delay", "0"), \
            running(folder, port, "--replicaof", HOST, primary) as redis:
        redis.said("master_link_status:up", "INFO", "replication")
        yield


@contextlib.contextmanager
def orphan(port, folder):
    """A replica that has lost its primary and says nothing until it is back."""
    options = ["--replicaof", HOST, free_ports(1), "--replica-serve-stale-data", "no"]
    with running(folder, port, *options) as redis:
        redis.said("MASTERDOWN", "GET", "x")
        yield


@contextlib.contextmanager
def loading(port, folder):
    """Reads its data for longer than anybody waits."""
    options = ["--rdbcompression", "no", "--enable-debug-command", "yes", "--save", ""]
    with running(folder, port, *options) as redis:
        redis.ask("DEBUG", "POPULATE", "2000", "key", "2048")
        assert redis.ask("SAVE") == "OK"
        dump = redis.folder / "dump.rdb"
    late = Redis(folder, port, *options, "--dir", dump.parent, "--key-load-delay", "20000",
                 "--loading-process-events-interval-bytes", "1024")
    try:
        late.said("LOADING", "GET", "x")
        yield
    finally:
        late.stop()


@contextlib.contextmanager
def nearly_full(port, folder):
    """Uses 95 % of what it may."""
    with running(folder, port, *GOOD, "--enable-debug-command", "yes") as redis:
        redis.ask("DEBUG", "POPULATE", "10000", "key", "2048")
        used = int(redis.ask("INFO", "memory").partition("used_memory:")[2].split()[0])
        redis.ask("CONFIG", "SET", "maxmemory", str(int(used / .95)))
        yield


@contextlib.contextmanager
def cannot_save(port, folder):
    """Refuses to write since its last snapshot failed."""
    with running(folder, port, "--save", "3600 1") as redis:
        redis.ask("SET", "some", "thing")
        shutil.rmtree(redis.folder)
        redis.ask("BGSAVE")
        redis.said("rdb_last_bgsave_status:err", "INFO", "persistence")
        yield


@contextlib.contextmanager
def crowded(port, folder):
    """Every connection that it may have is taken."""
    with running(folder, port, "--maxclients", "3", *GOOD), contextlib.ExitStack() as guests:
        def one_more():
            guest = guests.enter_context(socket.create_connection((HOST, port)))
            guest.settimeout(SECONDS)
            guest.sendall(b"PING\r\n")
            return guest.recv(64)
        wait_until("max number of clients", SECONDS, one_more, lambda said: b"max number" in said)
        yield


@contextlib.contextmanager
def sentinel(port, folder):
    """Knows where Redis is, and is none."""
    config, primary = Path(folder) / ("sentinel-%d.conf" % next(_numbers)), free_ports(1)
    config.write_text("sentinel monitor mymaster %s %d 1\n" % (HOST, primary))
    with running(folder, primary), running(folder, port, "--sentinel", config=[config]):
        yield


@contextlib.contextmanager
def cluster(port, folder):
    """Three nodes, one of them on port, which know each other and have all slots."""
    with contextlib.ExitStack() as opened:
        bus = free_ports(1)
        nodes = [opened.enter_context(running(folder, node, "--cluster-enabled", "yes", "--cluster-node-timeout",
                                              "5000", "--cluster-port", own, "--save", ""))
                 for node, own in [(port, bus), (free_ports(1), free_ports(1)), (free_ports(1), free_ports(1))]]
        for n, (first, last) in enumerate([(0, 5460), (5461, 10922), (10923, 16383)]):
            assert nodes[n].ask("CLUSTER", "ADDSLOTSRANGE", str(first), str(last)) == "OK"
            nodes[n].ask("CLUSTER", "SET-CONFIG-EPOCH", str(n + 1))
        for node in nodes[1:]:
            node.ask("CLUSTER", "MEET", HOST, str(port), str(bus))
        for node in nodes:
            node.said("cluster_state:ok", "CLUSTER", "INFO")
            node.said("cluster_known_nodes:3", "CLUSTER", "INFO")
        yield nodes


@contextlib.contextmanager
def cluster_without_slots(port, folder):
    """Cluster mode is on, and nobody has made a cluster of it."""
    with running(folder, port, "--cluster-enabled", "yes", "--cluster-port", free_ports(1)) as redis:
        redis.said("CLUSTERDOWN", "GET", "x")
        yield


@contextlib.contextmanager
def balanced(port, folder):
    """Two stores behind one address: one connection gets the first, the next one the second."""
    ports = free_ports(1), free_ports(1)
    with running(folder, ports[0]), running(folder, ports[1]):
        turns = itertools.cycle(ports)
        with served(lambda client, over: carry(client, next(turns), over))(port, folder):
            yield


def carry(client, port, over):
    """Copies between a client and a port until one of them ends."""
    with socket.create_connection((HOST, port)) as server:
        def back():
            with contextlib.suppress(OSError):
                while not over.is_set() and (data := server.recv(65536)):
                    client.sendall(data)
                client.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        while data := client.recv(65536):
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)
        thread.join(SECONDS)


# What is no Redis.

def served(talk):
    """A fault that is a server of ours: talk(connection) for each one, in a thread of its own."""
    @contextlib.contextmanager
    def fault(port, _folder):
        server = socket.create_server((HOST, port))
        over = threading.Event()

        def serve(client):
            with client, contextlib.suppress(OSError):
                talk(client, over)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(SECONDS)
            server.close()
    return fault


def close_at_once(client, _over):
    """Accepted, and gone."""
    client.shutdown(socket.SHUT_RDWR)


def say_garbage(client, _over):
    """Bytes without any sense."""
    client.recv(1)
    client.sendall(bytes(range(1, 256)) * 4)
    client.recv(1)


def speak_http(client, _over):
    """What a web server says to a Redis client."""
    client.recv(4096)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def never_end(client, over):
    """One answer that goes on for ever."""
    client.recv(1)
    client.sendall(b"+")
    while not over.is_set():
        client.sendall(b"x" * 65536)


def flood(client, over):
    """Right answers, thousands that nobody asked for."""
    client.recv(1)
    while not over.is_set():
        client.sendall(b"+OK\r\n" * 10000)


def drip(client, over):
    """A byte a second of something that may become an answer."""
    client.recv(1)
    for byte in itertools.cycle(b"+OKOKOKOKOKOKOKOK"):
        client.sendall(bytes([byte]))
        if over.wait(1):
            return


def say_nothing(client, over):
    """Open, and silent."""
    over.wait()
    client.close()


def promise_much(client, over):
    """The beginning of a string of 500 MB."""
    client.recv(1)
    client.sendall(b"$500000000\r\nabc")
    over.wait()


def nest_deeply(client, over):
    """An array in an array in an array."""
    client.recv(1)
    client.sendall(b"*1\r\n" * 100000)
    over.wait()
