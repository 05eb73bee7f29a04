"""The static binary where there is nothing else: no libc, no shell, no /etc/passwd, no /run."""

import io
import tarfile

import pytest

import images


@pytest.fixture(scope="session")
def bare(ready):
    """The program's own image."""
    return images.program(ready)


@pytest.fixture(scope="session")
def stubbed(docker, ready):
    """The same with the tests' stub as php-fpm."""
    name = "%s-scratch:%s" % (images.PREFIX, ready)
    return images.build_own(docker, name, "scratch", images.REPO / "tests" / "support" / "stub-fpm.c",
                            images.HERE / "images" / "stub",
                            BUILDER=images.builder(ready), PROGRAM=images.program(ready))


def test_a_plain_docker_build_gives_the_binary_and_nothing_else(docker, bare):
    container = docker("create", bare)
    try:
        with tarfile.open(fileobj=io.BytesIO(docker.run("export", container, text=False).stdout)) as tar:
            files = [member.name for member in tar if member.isfile() and member.size > 0]
    finally:
        docker("rm", container)
    # The empty ones are Docker's, which mounts its own over them.
    assert files == ["usr/local/sbin/twinit"]


@pytest.mark.parametrize("words, status, text", [
    (["version"], 0, "twinit %s\n" % (images.REPO / "VERSION").read_text().strip()),
    (["help"], 0, "for HEALTHCHECK"),
    (["health"], 1, "no running twinit at"),
    ([], 78, "php-fpm"),
    (["--", "twinit", "version"], 0, "twinit "),
    (["--", "/nothing"], 127, "cannot run '/nothing'"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_needs_no_php_works(docker, bare, words, status, text):
    done = docker.run("run", "--rm", bare, *words)
    assert done.returncode == status and text in done.stdout, (done.returncode, done.stdout)


def test_it_is_an_init_for_a_static_program(docker, stubbed):
    """The stub makes orphans and says by its status that they were all reaped."""
    done = docker.run("run", "--rm", stubbed, "--", "php-fpm", "orphans", 500)
    assert done.returncode == 42, (done.returncode, done.stdout)


def test_it_finds_the_session_store_by_its_name_in_dockers_dns(docker, network, php, stubbed, debian):
    """As the least of users: no name in any /etc/passwd, no capability, nothing but /dev/shm to write to."""
    options = ["--user", "1000:1000", "--cap-drop", "ALL", "--read-only", "--env", "TWINIT_SESSIONS_VERIFY=report"]
    task = php(options, image=stubbed)
    task.wait_healthy()
    address = docker("inspect", "--format", '{{(index .NetworkSettings.Networks "%s").IPAddress}}' % network,
                     images.named(debian, "redis"))
    done = task.exec("twinit", "sessions")
    lines = done.stdout.splitlines()
    assert any(line.startswith("www: ok: write: redis:6379 (%s): " % address) for line in lines), done.stdout
    # The stub cannot use a session; that is all there is to complain about, and what the status says.
    assert done.returncode == 1, done.stdout
    assert [line.split(": ")[2] for line in lines if line.startswith("www: failed: ")] == ["chain"], done.stdout
    assert task.stop() == 0, task.logs()
