"""docker-compose.yml under docker-compose, with each of its overrides: what `docker compose up` gives somebody.

The release bookworm uses docker-compose 1.29, trixie Compose v2.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import images
import projects
from clients import Crowd, Later, Visitor, check_text, post, release_of_check
from waiting import wait_until

FPM_PORT = 9000
SLOW_MS = 3000

# Names of projects, and what is added to the shipped file.
VARIANTS = {"plain": [], "seccomp": ["docker-compose.seccomp.yml"], "read-only": ["docker-compose.read-only.yml"]}


@pytest.fixture(scope="module")
def started(docker, ready):
    """{variant: project}: all that there are, up and healthy; removed afterwards."""
    images.prepare_compose(docker, ready)
    with projects.override(ready) as override, ThreadPoolExecutor() as pool:
        made = {variant: projects.Project(docker, images.named(ready, "compose-" + variant), ready,
                                          [*(images.REPO / file for file in files), override])
                for variant, files in VARIANTS.items()}
        list(pool.map(projects.Project.down, made.values()))
        try:
            list(pool.map(projects.Project.up, made.values()))
            yield made
        finally:
            list(pool.map(projects.Project.down, made.values()))


def connections_of_nginx(task):
    """How many connections to FPM there are."""
    lines = [line.split() for name in ("tcp", "tcp6")
             for line in Path("/proc/%d/net/%s" % (task.pid, name)).read_text().splitlines()[1:]]
    return sum(line[1].endswith(":%04X" % FPM_PORT) and line[3] == "01" for line in lines)


def as_root(container, *words):
    """`docker exec` by somebody who takes what there is."""
    return container.docker.run("exec", "--user", "0:0", container.id, *words)


def test_the_file_alone(started):
    project = started["plain"]
    assert as_root(project.container("deploy"), "hostname", "other").returncode == 0, "or the next test means nothing"
    keeps_sessions_drains_and_leaves_nothing(project)


def test_the_seccomp_profile_opens_no_more_than_twinit_needs(started):
    project = started["seccomp"]
    for container in [*project.containers("php"), project.container("deploy")]:
        assert "NoNewPrivs:\t1" in container.exec("cat", "/proc/1/status").stdout
        done = as_root(container, "hostname", "other")
        assert "must be root" in done.stdout, "%s: %s" % (container.name, done)  # EPERM, in the words of hostname
    keeps_sessions_drains_and_leaves_nothing(project)


def test_read_only_root_file_systems(started):
    project = started["read-only"]
    for service in ("php", "deploy", "nginx", "redis"):
        for container in project.containers(service):
            done = as_root(container, "touch", "/x")
            assert "Read-only file system" in done.stdout, "%s: %s" % (container.name, done)
    keeps_sessions_drains_and_leaves_nothing(project)


def keeps_sessions_drains_and_leaves_nothing(project):
    """What each of them promises."""
    for task in project.containers("php"):
        assert task.app()["isolation"].startswith("namespace"), task.logs()
    the_password_shows_nowhere(project)
    sessions_survive_rolls(project)
    a_stop_drains(project)
    project.down()
    assert project.left() == []


def sessions_survive_rolls(project):
    """A visitor, and a crowd of which no request is lost, while every php container is sent HUPs."""
    visitor = Visitor(project.port)
    count = projects.visit_all_masters(visitor.visit, 0)
    with Crowd(4, lambda: release_of_check(post(project.port, "/check.php?nap=20"))) as crowd:
        crowd.wait_answers(50)
        project.roll()
        count = projects.visit_all_masters(visitor.visit, count)
        project.roll_to(2)
        projects.visit_all_masters(visitor.visit, count)
        crowd.wait_answers(50)
    assert not crowd.failures() and not crowd.refused()
    assert visitor.visit().release == "2"


def the_password_shows_nowhere(project):
    """Redis wants one, and no command line, setting or log of a container holds it."""
    password = (images.REPO / "redis" / "password").read_text().strip()
    redis = project.container("redis")
    assert "NOAUTH" in redis.exec("redis-cli", "ping").stdout
    assert "PONG" in redis.exec("redis-cli", "--no-auth-warning", "-a", password, "ping").stdout
    for service in ("php", "nginx", "redis", "deploy"):
        for container in project.containers(service):
            for words in (["inspect", container.id], ["top", container.id, "-eo", "pid,args"], ["logs", container.id]):
                assert password not in project.docker(*words), "%s: %s" % (container.name, words[0])


def a_stop_drains(project):
    """`docker-compose stop` while long requests run: they are answered, and nobody is killed."""
    everything = [container for service in ("nginx", "php", "redis") for container in project.containers(service)]
    tasks = project.containers("php")
    slow = [Later(partial(post, project.port, "/check.php?stay=%d" % SLOW_MS)) for _ in range(4)]
    wait_until("four requests are in PHP", 30, lambda: sum(map(connections_of_nginx, tasks)), lambda count: count >= 4)
    project("stop")
    for record in (request.record() for request in slow):
        assert record.failure is None, record
        assert record.answer == check_text(2)
    for container in everything:
        assert container.inspect(".State.ExitCode") == 0, "%s: %s" % (container.name, container.inspect(".State"))
