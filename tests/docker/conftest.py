"""Fixtures of the docker tier: an engine, the images of each Debian release, a network with Redis, nginx in front.

`--debian trixie` runs one release only. Containers, networks and volumes have the release in their names, so that
both may be tested at the same time on one engine.
"""

import pytest

import containers
import engine
import images
import projects

LIVE = []


def pytest_addoption(parser):
    parser.addoption("--debian", action="append", choices=images.RELEASES, help="only this release")


def pytest_generate_tests(metafunc):
    if "debian" in metafunc.fixturenames:
        metafunc.parametrize("debian", metafunc.config.getoption("--debian") or images.RELEASES, scope="session")


def pytest_configure(config):
    config.addinivalue_line("markers", "last: looks at the end at what tests before it have begun")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """The Swarm tests begin something that takes minutes: first they, in the middle the others, then its end."""
    def rank(item):
        release = item.callspec.params.get("debian", "") if hasattr(item, "callspec") else ""
        return release, item.get_closest_marker("last") is not None, item.path.stem != "test_swarm"

    items.sort(key=rank)


@pytest.fixture(scope="session")
def docker():
    """A Docker whose engine answers."""
    with engine.get() as found:
        yield found


@pytest.fixture(scope="session")
def ready(docker, debian):
    """The release, with all its images."""
    images.prepare_services(docker)
    images.prepare(docker, debian)
    return debian


@pytest.fixture(scope="session")
def network(docker, ready):
    """A network with Redis in it, known there as `redis`."""
    name = images.named(ready, "net")
    docker.run("network", "rm", name)
    docker("network", "create", name)
    with containers.run(docker, images.named(ready, "redis"), "redis:7",
                        options=["--network", name, "--network-alias", "redis"]):
        yield name
    docker("network", "rm", name)


@pytest.fixture(scope="session")
def web(docker, network, debian):
    """nginx in front of whatever has the alias `php` in the network; it tries nothing twice."""
    template = images.REPO / "nginx" / "site.conf.template"
    options = ["--network", network, "--env", "SITE_LISTEN=80", "--env", "PHP_ADDRESS=php:9000",
               "--env", "PHP_RETRY=off", "--volume", "%s:/etc/nginx/templates/default.conf.template:ro" % template]
    with containers.run(docker, images.named(debian, "web"), "nginx:stable", options=options) as nginx:
        yield nginx


@pytest.fixture
def php(docker, network, ready):
    """php(options, *command, image=...) runs a container with the alias `php`, removed when the test is over."""
    started = []

    def start(options=(), *command, image=None, name="php"):
        context = containers.run(docker, images.named(ready, name), image or images.checked(ready), *command,
                                 options=["--network", network, "--network-alias", name, *options])
        container = context.__enter__()
        started.append(context)
        LIVE.append(container)
        return container

    yield start
    for context in reversed(started):
        context.__exit__(None, None, None)
    LIVE.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Shows what the containers of a failed test said."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for container in LIVE:
            report.sections.append(("%s said" % container.name, container.docker.run("logs", "--tail", 60,
                                                                                  container.id).stdout))
        for services in projects.LIVE:
            report.sections.append((services.name, services.describe()))
