"""The shipped compose file as docker-compose and Swarm run it, with the images of the tests and a port of its own."""

import contextlib
import copy
import random
import socket
import tempfile
from pathlib import Path

import containers
import images
from waiting import HOST, wait_until

SHIPPED = images.REPO / "docker-compose.yml"

# A look at containers starts a program and is worth a pause.
PAUSE = 0.2
# Those that are there, for what a failed test shows.
LIVE = []

# What differs: images that are there already, one set for each release, and nothing is tried twice.
OVERRIDE = """\
version: "3.8"
services:
  php: {image: "%(image)s"}
  deploy: {image: "%(image)s"}
  nginx:
    environment: {PHP_RETRY: "off"}
"""


def free_port():
    """A port of 127.0.0.1 that nobody has, below the range from which clients get theirs."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return port


@contextlib.contextmanager
def override(release):
    """The path of a file with what differs."""
    with tempfile.TemporaryDirectory(prefix="twinit-") as folder:
        path = Path(folder) / "override.yml"
        path.write_text(OVERRIDE % {"image": images.checked(release)})
        yield path


def visit_all_masters(visit, count):
    """Visits of one visitor until both masters of both php containers have answered; each adds one to the count.

    Returns the last count.
    """
    seen = set()

    def look():
        nonlocal count
        made = visit()
        assert made.count == count + 1, "after %d: %s" % (count, made)
        count = made.count
        seen.add((made.host, made.replica))
        return seen
    wait_until("four masters answer", 60, look, lambda seen: len(seen) == 4)
    return count


def options(option, files):
    """The option before each file, the shipped one first."""
    return [word for file in (SHIPPED, *files) for word in (option, file)]


class Services:
    """Containers by the service that they belong to."""

    def __init__(self, docker, name, label):
        """`label` is what all of it has."""
        self.docker = docker
        self.name = name
        self.label = "%s=%s" % (label, name)

    def labels(self, service):
        """Labels of the containers of a service."""
        raise NotImplementedError

    def containers(self, service):
        """Those of a service that run."""
        filters = [word for label in self.labels(service) for word in ("--filter", "label=" + label)]
        return [containers.Container(self.docker, found) for found in self.docker("ps", "--quiet", *filters).split()]

    def container(self, service):
        """The only one of a service."""
        found = self.containers(service)
        assert len(found) == 1, "%s: %d containers of %s" % (self.name, len(found), service)
        return found[0]

    def describe(self):
        """States and last lines of all its containers."""
        shown = self.docker.run("ps", "--all", "--quiet", "--filter", "label=" + self.label).stdout.split()
        return "\n".join("%s\n%s" % (self.docker.run("ps", "--all", "--filter", "id=" + one, "--format",
                                                    "{{.Names}}: {{.Status}}").stdout,
                                     self.docker.run("logs", "--tail", 30, one).stdout) for one in shown)

    def roll(self):
        """HUP to every php container; returns when all have rolled."""
        tasks = [(task, task.app()["rolls"]) for task in self.containers("php")]
        for task, _ in tasks:
            task.kill("HUP")
        for task, rolls in tasks:
            assert task.wait_rolled(rolls + 1)["last_roll"] == "done", task.logs()

    def roll_to(self, release):
        """What a deployer does: moves the symlink, then HUP."""
        self.container("deploy").current(release)
        self.roll()


def forget(services):
    """There is nothing of them to show any more."""
    if services in LIVE:
        LIVE.remove(services)


class Project(Services):
    """What `docker-compose up` makes of the file; docker-compose is that of the Debian release."""

    def __init__(self, docker, name, release, files):
        super().__init__(docker, name, "com.docker.compose.project")
        self.port = free_port()
        endpoint = docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        assert endpoint.startswith("unix://"), "the engine cannot see the project's files: " + endpoint
        folders = {images.REPO, *(file.parent for file in files)}
        self._client = [
            "run", "--rm", "--env", "PORT=%s:%d" % (HOST, self.port), "--workdir", images.REPO,
            "--volume", "%s:/var/run/docker.sock" % endpoint.removeprefix("unix://"),
            *(word for folder in folders for word in ("--volume", "%s:%s:ro" % (folder, folder))),
            images.compose(release), "--project-name", name, *options("--file", files)]

    def __call__(self, *words):
        """`docker-compose WORDS...`."""
        return self.docker(*self._client, *words, timeout=180)

    def labels(self, service):
        return [self.label, "com.docker.compose.service=" + service]

    def up(self):
        """Returns when every container is healthy."""
        LIVE.append(self)
        self("up", "--detach", "--no-build")
        for service, count in {"php": 2, "nginx": 1, "redis": 1, "deploy": 1}.items():
            found = self.containers(service)
            assert len(found) == count, "%s: %d containers of %s" % (self.name, len(found), service)
            for container in found:
                wait_until("%s is healthy" % container.name, 90, container.health, lambda health: health == "healthy",
                           PAUSE)

    def down(self):
        """Ends and removes all of it, if there is any."""
        self("down", "--volumes", "--timeout", 10)
        forget(self)

    def left(self):
        """What there is of it: ids of containers and networks, names of volumes."""
        return [found for words in (["ps", "--all"], ["network", "ls"], ["volume", "ls"])
                for found in self.docker(*words, "--quiet", "--filter", "label=" + self.label).split()]


class Stack(Services):
    """What `docker stack deploy` makes of the file."""

    def __init__(self, docker, name, files):
        super().__init__(docker, name, "com.docker.stack.namespace")
        self._files = options("--compose-file", files)

    def deploy(self):
        """Returns when Swarm knows."""
        LIVE.append(self)
        deployer = copy.copy(self.docker)
        deployer.env = {**self.docker.env, "PORT": str(free_port())}
        deployer("stack", "deploy", *self._files, self.name, cwd=images.REPO)

    def labels(self, service):
        return ["com.docker.swarm.service.name=%s_%s" % (self.name, service)]

    def replicas(self):
        """{service: "running/wanted"}."""
        lines = self.docker("stack", "services", "--format", "{{.Name}} {{.Replicas}}", self.name).splitlines()
        return {name.removeprefix(self.name + "_"): count for name, count in map(str.split, lines)}

    def wait_complete(self):
        """Waits until every task is there and healthy."""
        whole = {"php": "2/2", "nginx": "1/1", "redis": "1/1", "deploy": "1/1"}
        wait_until("%s is complete" % self.name, 120, self.replicas, lambda seen: seen == whole, PAUSE)

    def tasks(self, service):
        """Ids of all tasks that a service has had, newest first."""
        return self.docker("service", "ps", "--quiet", "--no-trunc", "%s_%s" % (self.name, service)).split()

    def scale(self, service, count):
        """Returns when Swarm knows."""
        self.docker("service", "scale", "--detach", "%s_%s=%d" % (self.name, service, count))

    def update(self, service):
        """Replaces every task; returns when Swarm says that it is over."""
        self.docker("service", "update", "--force", "--quiet", "--detach=false", "%s_%s" % (self.name, service),
                    timeout=240)

    def begin_removal(self):
        """Asks Swarm to end all of it, if there is any."""
        self.docker.run("stack", "rm", self.name)

    def end_removal(self):
        """Returns when nothing is left, its volumes included."""
        for words in (["ps", "--all"], ["network", "ls"]):
            wait_until("%s is gone" % self.name, 120, lambda words=words: self.docker(
                *words, "--quiet", "--filter", "label=" + self.label), lambda left: left == "", PAUSE)
        volumes = self.docker("volume", "ls", "--quiet", "--filter", "label=" + self.label).split()
        if volumes:
            self.docker("volume", "rm", *volumes)
        forget(self)
