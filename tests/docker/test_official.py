"""Other people's images: README's three lines put twinit in front of what is there, and the rest stays as it was.

php:8-fpm and php:8-fpm-alpine have stand-ins (images/official.Dockerfile, images/musl.Dockerfile): no registry is
needed, and the second has no PHP, because there is none for musl in Debian. What it proves is that the same binary
runs where there is no glibc.
"""

import os
import tempfile
from functools import partial
from pathlib import Path

import pytest

import clients
import images
import readme
from waiting import wait_until

FPM = ("127.0.0.1", 9000)
ROOT = "/var/www/html"


def app(folder):
    """Two releases of the tests' scripts and the symlink in a new folder, as a deployer leaves them."""
    for release in "12":
        public = folder / "releases" / release / "public"
        public.mkdir(parents=True)
        (public / "release.txt").write_text(release)
        for script in (images.REPO / "tests" / "app").glob("*.php"):
            text = script.read_text(encoding="utf-8")
            (public / script.name).write_text(text.replace("@RELEASE@", release), encoding="utf-8")
    (folder / "current").symlink_to("releases/1")


def two_apps(folder):
    """The twinit.conf of doc/docker.md and what it names."""
    folder.mkdir()
    (folder / "twinit.conf").write_text(readme.block("[app shop]", "doc/docker.md"))
    for name, port in (("shop", 9000), ("blog", 9001)):
        app(folder / name)
        (folder / (name + ".conf")).write_text(
            "[global]\nerror_log = /proc/self/fd/2\nlog_level = warning\n"
            "[%s]\nuser = www-data\ngroup = www-data\nlisten = %d\npm = static\npm.max_children = 4\n" % (name, port))


def with_three_lines(docker, release, name, base, *lines, content=app):
    """The image that somebody makes of `base` with README's three lines and these before them."""
    three = readme.block("COPY --from=twinit")
    assert len(three.splitlines()) == 3, "README promises three lines:\n" + three
    with tempfile.TemporaryDirectory(prefix="twinit-") as path:
        content(Path(path) / "app")
        text = "FROM %s AS twinit\nFROM %s\n%s\n%s" % (images.program(release), base, "\n".join(lines), three)
        (Path(path) / "Dockerfile").write_text(text)
        images.build(docker, images.named(release, name), path)
    return images.named(release, name)


@pytest.fixture(scope="session")
def plain_image(docker, ready):
    """Like php:8-fpm."""
    name = "%s-official:%s" % (images.PREFIX, ready)
    return images.build_own(docker, name, "official", DEBIAN=ready)


@pytest.fixture(scope="session")
def site_image(docker, ready, plain_image):
    """A site on php:8-fpm, code in the image, with twinit in front; releases are there too."""
    return with_three_lines(docker, ready, "site", plain_image, "COPY --chown=1000:1000 app /srv/app",
                            "COPY app/releases/1/public " + ROOT)


@pytest.fixture(scope="session")
def musl_image(docker, ready):
    """Like php:8-fpm-alpine, with twinit in front."""
    name = "%s-musl:%s" % (images.PREFIX, ready)
    stub = images.REPO / "tests" / "support" / "stub-fpm.c"
    images.build_own(docker, name, "musl", stub, images.HERE / "images" / "stub", BUILDER=images.builder(ready))
    return with_three_lines(docker, ready, "musl-site", name)


def check(path="/check.php", root=ROOT):
    """Which release answered on FPM's port."""
    return clients.release_of_check(clients.fpm_post(FPM, path, root=root))


def roll_three_times(task, crowd):
    """Each under way while requests come in."""
    crowd.wait_answers(30)
    for number in (1, 2, 3):
        task.kill("HUP")
        assert task.wait_rolled(number)["last_roll"] == "done"
        crowd.wait_answers(30)


def test_three_lines_are_enough_to_serve_roll_and_stop(php, site_image):
    task = php(image=site_image)
    task.wait_healthy()
    # A nap says whether a signal reached its worker.
    with clients.Crowd(8, task.inside(partial(check, "/check.php?nap=30"))) as crowd:
        roll_three_times(task, crowd)
    assert not crowd.failures() and not crowd.refused(), (crowd.failures() + crowd.refused())[:3]
    wait_until("Docker calls it healthy", 60, task.health, lambda health: health == "healthy")

    assert task.inspect(".Config.StopSignal") == "SIGQUIT", "inherited, and a graceful stop for twinit too"
    page = clients.Later(task.inside(partial(check, "/begun.php?nap=4000")))
    wait_until("the page has begun", 30, lambda: task.exec("test", "-e", "/tmp/begun").returncode == 0)
    assert task.stop() == 0, task.logs()
    assert page.record().failure is None, page.record()


def test_a_release_behind_a_symlink_rolls_there_too(php, web, site_image):
    """With the variables that README shows."""
    variables = readme.block("ENV TWINIT_APP_RELEASE").removeprefix("ENV ").replace("\\\n", " ").split()
    task = php([word for variable in variables for word in ("--env", variable)], image=site_image)
    task.wait_healthy()
    wait_until("nginx reaches the container", 30, lambda: "1 1 1 1 POST" in web.post())
    with web.load() as load:
        for number in (1, 2, 3):
            task.current(1 + number % 2)
            task.kill("HUP")
            assert task.wait_rolled(number)["last_roll"] == "done"
        seen = load.stop()
    assert seen.failed == 0 and seen.requests > 50, seen
    assert "2 2 2 2 POST" in web.post()
    assert task.app()["isolation"] == "path"
    assert task.stop() == 0, task.logs()


def test_two_sites_in_one_image_roll_one_by_one_and_together(docker, php, plain_image, debian):
    image = with_three_lines(docker, debian, "two-sites", plain_image, "COPY app/twinit.conf /etc/",
                             *("COPY app/%s.conf /etc/%s/php-fpm.conf\nCOPY app/%s /srv/%s" % ((name,) * 4)
                               for name in ("shop", "blog")), content=two_apps)
    task = php(image=image)
    task.wait_healthy()

    def serves(name, port):
        root = "/srv/%s/current/public" % name
        return task.ask(lambda: clients.release_of_check(clients.fpm_post((FPM[0], port), "/check.php", root=root)))

    def rolls():
        return {app["name"]: app["rolls"] for app in task.status()["apps"]}

    assert task.exec("sh", "-c", "ln -sfn releases/2 /srv/shop/current").returncode == 0
    done = task.exec("twinit", "restart", "shop")
    assert done.returncode == 0 and rolls() == {"shop": 1, "blog": 0}, done.stdout
    assert (serves("shop", 9000), serves("blog", 9001)) == (2, 1)
    assert task.exec("twinit", "restart").returncode == 0
    assert rolls() == {"shop": 2, "blog": 1}
    assert "NOTICE" not in task.logs(), "log_level = warning"
    assert task.stop() == 0, task.logs()


@pytest.mark.parametrize("options, words", [([], ["php-fpm"]),
                                            (["--entrypoint", "docker-php-entrypoint"], ["twinit"])],
                         ids=["the inherited command", "the image's own entrypoint"])
def test_other_ways_to_start_it(php, site_image, options, words):
    task = php(options, *words, image=site_image)
    task.wait_healthy()
    assert task.ask(check) == 1
    assert task.stop() == 0, task.logs()


@pytest.mark.parametrize("command", [["php", "-v"], ["php", "-r", "exit(3);"], ["php-fpm", "-v"]], ids=" ".join)
def test_commands_work_as_before(docker, plain_image, site_image, command):
    before, after = (docker.run("run", "--rm", image, *command) for image in (plain_image, site_image))
    assert (after.returncode, after.stdout) == (before.returncode, before.stdout)


def test_php_fpm_looks_at_its_configuration_as_before(docker, site_image):
    done = docker.run("run", "--rm", site_image, "php-fpm", "-t")
    assert done.returncode == 0 and "php-fpm.conf test is successful" in done.stdout, done.stdout


def test_a_shell_on_a_terminal_works_as_before(docker, plain_image, site_image):
    def typed(image):
        ours, theirs = os.openpty()
        try:
            os.write(ours, b"tty; echo $((6 * 7)); exit 5\n")
            return docker.run("run", "--rm", "--interactive", "--tty", image, "bash", stdin=theirs)
        finally:
            os.close(ours)
            os.close(theirs)

    before, after = typed(plain_image), typed(site_image)
    assert after.returncode == before.returncode == 5, after.stdout
    for word in ("\n/dev/pts/0\n", "\n42\n"):
        assert word in before.stdout and word in after.stdout, after.stdout
    assert "job control" not in before.stdout + after.stdout, after.stdout


def test_the_same_file_runs_where_there_is_no_glibc(php, musl_image):
    task = php(["--env", "TWINIT_SESSIONS_VERIFY=report"], image=musl_image)
    task.wait_healthy()
    libraries = task.exec("ls", "/lib").stdout.split()
    assert len(libraries) == 1 and libraries[0].startswith("ld-musl-"), libraries

    with clients.Crowd(8, task.inside(partial(clients.fpm_post, FPM, "/"))) as crowd:
        roll_three_times(task, crowd)
    assert not crowd.failures() and not crowd.refused(), (crowd.failures() + crowd.refused())[:3]
    assert {record.answer.split()[1] for record in crowd.records} == {"www/1", "www/2"}
    # The name is resolved by what is built into twinit; the session itself the stub cannot use.
    assert "redis:6379 (" in task.exec("twinit", "sessions").stdout
    assert task.exec("twinit", "--", "id", "-u").stdout == "0\n"
    assert task.stop() == 0, task.logs()
