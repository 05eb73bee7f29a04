"""Containers of the tests, seen from outside and from inside their network.

Requests are made inside a container's own network namespace, to 127.0.0.1: nothing of Docker's port forwarding
is between us and what we count.
"""

import contextlib
import ctypes
import json
import os
import re
import threading
from functools import partial

import clients
from processes import children, fpm_masters, title
from waiting import wait_until

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


class Container:
    """One container that `docker run` or somebody else made."""

    def __init__(self, docker, name):
        self.docker = docker
        self.id = docker("inspect", "--format", "{{.Id}}", name)
        self.name = name
        self._entered = threading.local()

    def inspect(self, template):
        """`docker inspect --format`, read as JSON."""
        return json.loads(self.docker("inspect", "--format", "{{json %s}}" % template, self.id))

    @property
    def pid(self):
        """PID 1 of the container as the host sees it; 0 when it does not run."""
        return self.inspect(".State.Pid")

    @property
    def running(self):
        """True until it has ended."""
        return self.inspect(".State.Running")

    def health(self):
        """ "starting", "healthy" or "unhealthy"; "none" where it has no healthcheck."""
        return (self.inspect(".State.Health") or {"Status": "none"})["Status"]

    def logs(self):
        """Both streams so far."""
        return self.docker("logs", self.id)

    def exec(self, *words, user=None, **options):
        """`docker exec`, as the container's own user where no other is named: a CompletedProcess."""
        return self.docker.run("exec", *(["--user", user] if user else []), self.id, *words, **options)

    def kill(self, name="HUP"):
        """`docker kill -s`."""
        self.docker("kill", "-s", name, self.id)

    def stop(self, seconds=30):
        """`docker stop`; returns the exit status."""
        self.docker("stop", "--time", seconds, self.id, timeout=seconds + 60)
        return self.inspect(".State.ExitCode")

    def wait(self, seconds=60):
        """Waits for its end; returns the exit status."""
        return int(self.docker("wait", self.id, timeout=seconds))

    def remove(self):
        """Gone with its anonymous volumes, whatever it does."""
        self.docker.run("rm", "--force", "--volumes", self.id)

    # twinit in there.

    @property
    def twinit(self):
        """Its pid as the host sees it: PID 1, or the child of what `docker run --init` puts in front."""
        pid = self.pid
        if title(pid).split()[:1] == ["twinit"]:
            return pid  # its helpers have its title, too
        return next((child for child in children(pid) if title(child).split()[:1] == ["twinit"]), pid)

    def masters(self):
        """Pids of the FPM masters as the host sees them."""
        return fpm_masters(self.twinit)

    def status(self):
        """`twinit status --json`."""
        done = self.exec("twinit", "status", "--json")
        assert done.returncode == 0, "%s: twinit status: %s\n%s" % (self.name, done.stdout, self.logs())
        return json.loads(done.stdout)

    def app(self):
        """The first app of the status."""
        return self.status()["apps"][0]

    def wait_healthy(self, seconds=60):
        """Waits until `twinit health` says so; fails at once when the container ends."""
        def look():
            assert self.running, "%s ended with status %d:\n%s" % (self.name, self.inspect(".State.ExitCode"),
                                                                 self.logs())
            return self.exec("twinit", "health").returncode
        wait_until("%s: twinit health says 0" % self.name, seconds, look, lambda code: code == 0)

    def wait_rolled(self, number, seconds=60):
        """Waits until `number` rolls are over."""
        return wait_until("%s: %d rolls are over" % (self.name, number), seconds, self.app,
                          lambda app: app["rolls"] >= number and app["roll"] == "idle")

    def current(self, release):
        """Moves the symlink as its owner, the deployer, does: never is there none."""
        link = "/srv/app/current"
        done = self.exec("sh", "-c", 'ln -sfn "$1" "$2.new" && mv -T "$2.new" "$2"', "sh", "releases/%s" % release, link,
                         user="1000:1000")
        assert done.returncode == 0, done.stdout

    def wait_log(self, pattern, seconds=60):
        """Waits for a line that matches; returns the match."""
        return wait_until("%s logs %r" % (self.name, pattern), seconds, lambda: re.search(pattern, self.logs()))

    def assert_ended_well(self):
        """It stopped as asked, no process of it had to be killed for that, and no roll before cut a request.

        What FPM kills before is its own business: an idle probe worker that a slow machine keeps from leaving.
        """
        assert self.inspect(".State.ExitCode") == 0 and not self.inspect(".State.OOMKilled"), self.logs()
        cut = re.findall(r".*[1-9]\d* requests? cut.*", self.logs())
        killed = re.findall(r".*(?:signal \d|SIGKILL|SIGTERM).*", self.logs().partition("twinit: stopping")[2])
        assert not cut and not killed, cut + killed

    # Its network.

    def enter(self):
        """What to put before a command that shall run in the container's network."""
        return ["nsenter", "--target", str(self.pid), "--net", "--"]

    def inside(self, ask):
        """ask() for threads of their own (Crowd, Later): each enters the container's network and stays there."""
        def asked():
            if not getattr(self._entered, "yes", False):
                enter_network(self.pid)
                self._entered.yes = True
            return ask()
        return asked

    def ask(self, ask, timeout=60):
        """The answer of one ask() made inside; what it raises is raised here."""
        record = clients.Later(self.inside(ask)).record(timeout)
        assert record.failure is None, "%s: %s" % (self.name, record.failure)
        return record.answer

    def post(self, path="/check.php", port=80, **options):
        """The text of one POST over HTTP, made inside."""
        return self.ask(partial(clients.post, port, path, **options))

    def check(self, port=80):
        """Which release answers a POST to check.php made inside; an answer that is not whole is raised."""
        return self.ask(lambda: clients.release_of_check(clients.post(port, "/check.php")))

    def wait_answer(self, port=80, seconds=60):
        """Waits until check.php answers, whatever came of what was asked before."""
        def look():
            return clients.Later(self.inside(partial(clients.post, port, "/check.php"))).record()
        wait_until("%s answers" % self.name, seconds, look, lambda record: record.failure is None)

    def load(self, port=80, **options):
        """A Wrk on this container's own port, which leaves the processor to the containers."""
        return clients.Wrk(port, enter=self.enter(), **{"connections": 16, "pause_ms": 40, **options})


def enter_network(pid):
    """Moves the calling thread, and no other, into the network namespace of a process."""
    with open("/proc/%d/ns/net" % pid, "rb") as namespace:
        if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def run(docker, name, image, *command, options=()):
    """`docker run --detach`; the container is removed when the block is over."""
    docker.run("rm", "--force", "--volumes", name)
    docker("run", "--detach", "--name", name, *options, image, *command)
    container = Container(docker, name)
    try:
        yield container
    finally:
        container.remove()


def zombies(pid):
    """Pids, as the host sees them, of processes of the container of this PID 1 that nobody has reaped."""
    space = os.readlink("/proc/%d/ns/pid" % pid)
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            with open("/proc/%s/status" % entry, encoding="utf-8", errors="replace") as file:
                status = file.read()
            if re.search(r"^State:\s+Z", status, re.M) and os.readlink("/proc/%s/ns/pid" % entry) == space:
                found.append(int(entry))
    return found


