"""The Docker engine of the tests: the one that runs here, or a private one that is removed afterwards.

    with engine.get() as docker:
        docker("run", "--rm", "debian:bookworm-slim", "true")

A private engine is dockerd of Debian's package docker.io, with data root, state and socket in a folder of its
own below /var/tmp; it needs root. What it adds to the host (bridges, rules of its chains) goes with it.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from waiting import wait_until


class EngineError(Exception):
    """The engine cannot be had; the text says what is missing."""


class Docker:
    """The docker client, speaking with one engine."""

    def __init__(self, host=None):
        # The classic builder is in every engine; BuildKit needs a plugin that Debian 12 does not have.
        self.env = {**os.environ, "DOCKER_BUILDKIT": "0"}
        if host:
            self.env["DOCKER_HOST"] = host

    def run(self, *words, timeout=120, **options):
        """A CompletedProcess of `docker WORDS...`: output and errors together, as text."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True,
                   **options}
        return subprocess.run(["docker", *map(str, words)], env=self.env, timeout=timeout, **options)

    def __call__(self, *words, timeout=120, **options):
        """What `docker WORDS...` prints; anything but status 0 is an error."""
        done = self.run(*words, timeout=timeout, **options)
        assert done.returncode == 0, "docker %s: status %d\n%s" % (" ".join(map(str, words)), done.returncode,
                                                                   done.stdout)
        return (done.stdout or "").strip()

    def answers(self):
        """True when the engine is there."""
        return shutil.which("docker") is not None and self.run("version").returncode == 0


@contextlib.contextmanager
def get():
    """A Docker whose engine answers."""
    found = Docker()
    if found.answers():
        yield found
        return
    with private() as mine:
        yield mine


@contextlib.contextmanager
def private():
    """An engine of our own, gone without a trace when the block is over."""
    if os.geteuid() != 0:
        raise EngineError("no Docker engine answers, and only root can start one")
    for program in ("dockerd", "docker", "ip", "iptables"):
        if shutil.which(program) is None:
            raise EngineError("no Docker engine answers, and there is no %s to start one (tools/deps --docker)" % program)
    # Short, because the socket's path may have 107 bytes; not in /tmp, which may be memory.
    folder = Path(tempfile.mkdtemp(prefix="twinit-docker-", dir="/var/tmp"))
    links, rules = _links(), _rules()
    with open(folder / "log", "wb") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid",
             "--host", "unix://%s/socket" % folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)
    docker = Docker("unix://%s/socket" % folder)
    try:
        wait_until("dockerd answers", 60, lambda: daemon.poll() is not None or docker.answers())
        if daemon.poll() is not None:
            raise EngineError("dockerd ended with status %d:\n%s" % (daemon.returncode, _tail(folder / "log")))
        yield docker
    finally:
        _stop(docker, daemon)
        _restore_network(links, rules)
        _unmount_below(folder)
        shutil.rmtree(folder)


@contextlib.contextmanager
def swarm(docker):
    """The engine manages a swarm: the one it is in, or one of its own for as long as the block."""
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "active":
        yield
        return
    docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        yield
    finally:
        docker("swarm", "leave", "--force")
        # The bridge of its containers to the host stays otherwise.
        docker.run("network", "rm", "docker_gwbridge")


def _tail(path):
    return "\n".join(path.read_text(errors="replace").splitlines()[-15:])


def _stop(docker, daemon):
    if daemon.poll() is None:
        if docker.run("info", "--format", "{{.Swarm.LocalNodeState}}").stdout.strip() == "active":
            docker.run("swarm", "leave", "--force")
        running = docker.run("ps", "--quiet", "--all").stdout.split()
        if running:
            docker.run("rm", "--force", "--volumes", *running)
        daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()


def _links():
    """Names of the network interfaces."""
    return set(os.listdir("/sys/class/net"))


def _rules():
    """Chains and policies of iptables as they are, for _restore_network()."""
    return {table: subprocess.run(["iptables-save", "-t", table], stdout=subprocess.PIPE, text=True).stdout
            for table in ("filter", "nat", "mangle")}


def _restore_network(links, rules):
    for name in _links() - links:
        if re.match(r"docker|br-|veth|vxlan", name):
            subprocess.run(["ip", "link", "delete", name], stderr=subprocess.DEVNULL)
    for table, text in rules.items():
        # Of a table that nobody had used nothing was printed.
        text = text or "*%s\n%sCOMMIT\n" % (table, ":FORWARD ACCEPT [0:0]\n" if table == "filter" else "")
        subprocess.run(["iptables-restore", "-T", table], input=text, text=True, check=True)


def _unmount_below(folder):
    """What a daemon that was killed leaves mounted; the deepest first."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        path = line.split()[1]
        if path.startswith(str(folder) + "/"):
            subprocess.run(["umount", "--lazy", path], check=True)
