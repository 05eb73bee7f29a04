"""The end of a container, and a new release that comes on a volume or as a new image."""

import contextlib
import tempfile
from pathlib import Path

import pytest

import clients
import containers
import images
from waiting import wait_until

SYS_ADMIN = ["--cap-drop", "ALL", "--cap-add", "SYS_ADMIN"]


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGQUIT"])
def test_docker_stop_lets_requests_end_and_the_container_is_unhealthy_at_once(php, web, signal):
    task = php(["--stop-signal", signal, "--health-interval", "500ms", "--health-retries", "1",
                "--env", "TWINIT_APP_STOP_TIMEOUT=60s"])
    task.wait_healthy()
    wait_until("Docker sees it healthy", 60, lambda: task.health() == "healthy")
    web.wait_answer()
    # Four seconds, and longer where we are not done with looking by then.
    path = "/check.php?stay=4000&until=/tmp/seen"
    slow = [clients.Later(web.inside(lambda: clients.release_of_check(clients.post(80, path)))) for _ in range(4)]
    wait_until("four workers are busy", 60, lambda: busy(task), lambda count: count == 4)
    stopping = clients.Later(lambda: task.stop(90))
    task.wait_log("stopping, within")
    health = task.exec("twinit", "health")
    assert (health.returncode, health.stdout.strip()) == (1, "unhealthy: stopping")
    wait_until("Docker sees it unhealthy", 60, lambda: task.health() == "unhealthy")
    assert stopping.under_way() and all(request.under_way() for request in slow)
    assert task.exec("touch", "/tmp/seen").returncode == 0
    records = [request.record() for request in slow]
    assert [(record.failure, record.answer) for record in records] == [(None, 1)] * 4
    assert stopping.record().answer == 0, stopping.record()
    task.assert_ended_well()


def busy(task):
    """How many requests are being served: connections of FPM's port that both sides have open."""
    port, established = ":%04X" % 9000, "01"
    rows = [line.split() for name in ("tcp", "tcp6")
            for line in Path("/proc/%d/net/%s" % (task.pid, name)).read_text().splitlines()]
    return sum(row[1].endswith(port) and row[3] == established for row in rows if len(row) > 3)


@contextlib.contextmanager
def volume(docker, name):
    """A named volume, removed when the block is over."""
    docker.run("volume", "rm", name)
    docker("volume", "create", name)
    try:
        yield name
    finally:
        docker.run("volume", "rm", name)


@pytest.fixture
def app_volume(docker, ready):
    """The volume on /srv/app; first of all fixtures, so that it goes after the containers."""
    with volume(docker, images.named(ready, "app")) as name:
        yield name


@pytest.mark.parametrize("options, isolation", [([], "path"), (SYS_ADMIN, "namespace (user namespace)")],
                         ids=["path", "namespace"])
def test_a_volume_is_switched_by_another_container_with_ln_sfn_and_hup(app_volume, docker, debian, php, web, options,
                                                                       isolation):
    mount = ["--volume", app_volume + ":/srv/app"]
    task = php([*options, *mount])
    task.wait_healthy()
    web.wait_answer()
    assert task.app()["isolation"] == isolation
    with web.load(nap_ms=3) as load:
        for number, release in enumerate((2, 1, 2), 1):
            before = web.check()
            # The link is gone for a moment, which nobody notices: each replica has its release.
            docker("run", "--rm", *mount, "--entrypoint", "ln", images.checked(debian), "-sfn", "releases/%d" % release,
                   "/srv/app/current")
            assert web.check() == before, "a moved link alone changes nothing"
            task.kill("HUP")
            assert task.wait_rolled(number)["last_roll"] == "done"
            assert web.check() == release
        seen = load.stop()
    assert seen.failed == 0 and seen.requests > 300, seen
    published = task.exec("readlink", "/srv/app/published").stdout.strip()
    assert published.endswith("releases/2"), published
    task.stop()
    task.assert_ended_well()


@pytest.fixture
def next_image(docker, ready):
    """The image of the next deployment: the same with release 2 in it."""
    name = "%s-next:%s" % (images.PREFIX, ready)
    with tempfile.TemporaryDirectory(prefix="twinit-") as folder:
        (Path(folder) / "Dockerfile").write_text(
            "FROM %s\nRUN ln -sfn releases/2 /srv/app/current\n" % images.checked(ready))
        images.build(docker, name, folder)
    yield name
    docker.run("image", "rm", name)


@pytest.fixture
def patient_web(docker, network, debian):
    """nginx as the project ships it: another address is tried when one takes no connection."""
    template = images.REPO / "nginx" / "site.conf.template"
    options = ["--network", network, "--env", "SITE_LISTEN=80", "--env", "PHP_ADDRESS=php:9000",
               "--env", "PHP_RETRY=error timeout",
               "--volume", "%s:/etc/nginx/templates/default.conf.template:ro" % template]
    with containers.run(docker, images.named(debian, "patient-web"), "nginx:stable", options=options) as nginx:
        yield nginx


def test_a_container_is_replaced_by_one_of_a_new_image(next_image, php, patient_web):
    """The new one is there first; both have the name `php`. What the old one has accepted it answers."""
    old = php()
    old.wait_healthy()
    patient_web.wait_answer()
    assert patient_web.check() == 1
    with patient_web.load(nap_ms=3) as load:
        new = php(["--network-alias", "php"], image=next_image, name="php-next")
        new.wait_healthy()
        wait_until("nginx asks the new one as well", 60, patient_web.check, lambda release: release == 2)
        assert old.stop() == 0
        assert {patient_web.check() for _ in range(20)} == {2}
        seen = load.stop()
    assert seen.failed == 0 and seen.requests > 300, seen
    old.assert_ended_well()
    new.stop()
    new.assert_ended_well()
