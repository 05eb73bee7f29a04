"""The images of the tests: the project's own, and those that it is built on or runs beside.

What can be pulled is pulled. Where no registry answers, Debian's base images are made with debootstrap, and
nginx and redis from Debian's packages, each under the name that the project's files use.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from engine import EngineError

REPO = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
RELEASES = ("bookworm", "trixie")
PHP = {"bookworm": "8.2", "trixie": "8.4"}
# Before the names of all that we make; another one lets two checkouts test on one engine at the same time.
PREFIX = os.environ.get("DOCKER_PREFIX", "twinit")


def say(text):
    """A line for whoever waits for minutes."""
    print("images: " + text, flush=True)


def have(docker, name):
    """True when the engine has the image."""
    return docker.run("image", "inspect", name).returncode == 0


def need(docker, name, make):
    """The image of that name: the one that is there, or pulled, or made here."""
    if have(docker, name):
        return
    if docker.run("pull", "--quiet", name, timeout=600).returncode != 0:
        say("%s cannot be pulled, making it" % name)
        make(docker, name)


def build(docker, name, folder, *options, timeout=900):
    """`docker build` of a folder. The network is the host's: its packages come from a mirror."""
    docker("build", "--network=host", "--tag", name, *options, folder, timeout=timeout)


def prepare(docker, release):
    """All images of a Debian release: what the tests name as sample(release) and so on."""
    need(docker, base(release), debootstrap)
    build(docker, builder(release), REPO, "--target", "build", "--build-arg", "DEBIAN=" + release)
    build(docker, sample(release), REPO, "--target", "php", "--build-arg", "DEBIAN=" + release)
    build(docker, program(release), REPO, "--build-arg", "DEBIAN=" + release)
    build_own(docker, checked(release), "checked", REPO / "tests" / "app", SAMPLE=sample(release))


def build_own(docker, name, kind, *context, **arguments):
    """Builds images/KIND.Dockerfile with copies of some files and folders beside it; returns the name."""
    with tempfile.TemporaryDirectory(prefix="twinit-") as folder:
        shutil.copy(HERE / "images" / (kind + ".Dockerfile"), Path(folder) / "Dockerfile")
        for path in context:
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, Path(folder) / path.name)
        words = [word for item in arguments.items() for word in ("--build-arg", "%s=%s" % item)]
        build(docker, name, folder, *words)
    return name


def prepare_compose(docker, release):
    """docker-compose of that release of Debian, in an image: so no machine has to have both."""
    build_own(docker, compose(release), "compose", DEBIAN=release)


def prepare_services(docker):
    """nginx and redis, of which all tests use the same."""
    need(docker, base("bookworm"), debootstrap)
    for name in ("nginx:stable", "redis:7"):
        need(docker, name, stand_in)


def named(release, name):
    """What a container, network or volume of the tests is called."""
    return "%s-%s-%s" % (PREFIX, release, name)


def base(release):
    """Debian's image, which the Dockerfile builds on."""
    return "debian:%s-slim" % release


def builder(release):
    """The Dockerfile's first stage: a compiler, and twinit in /src."""
    return "%s-builder:%s" % (PREFIX, release)


def program(release):
    """What a plain `docker build` of the Dockerfile gives: twinit alone."""
    return "%s-program:%s" % (PREFIX, release)


def sample(release):
    """The Dockerfile's sample site."""
    return "%s-sample:%s" % (PREFIX, release)


def checked(release):
    """The sample with tests/app in every release, for clients that judge each answer."""
    return "%s-checked:%s" % (PREFIX, release)


def compose(release):
    """docker-compose of that release."""
    return "%s-compose:%s" % (PREFIX, release)


def debootstrap(docker, name):
    """A base image from the packages of Debian."""
    if shutil.which("debootstrap") is None:
        raise EngineError("%s cannot be pulled, and there is no debootstrap to make it (tools/deps --docker)" % name)
    release = name.partition(":")[2].partition("-")[0]
    with tempfile.TemporaryDirectory(prefix="twinit-debootstrap-", dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        made = subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates", release, root],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if made.returncode != 0:
            raise EngineError("debootstrap of %s failed:\n%s" % (release, made.stdout[-2000:]))
        with subprocess.Popen(["tar", "-C", root, "--exclude=./var/cache/apt/archives/*.deb",
                               "--exclude=./var/lib/apt/lists/*", "-c", "."], stdout=subprocess.PIPE) as tar:
            docker("import", "-", name, stdin=tar.stdout, timeout=300)
        assert tar.returncode == 0, "tar of %s ended with status %d" % (root, tar.returncode)


def stand_in(docker, name):
    """An image from images/NAME.Dockerfile that does for us what the one of that name does."""
    build_own(docker, name, name.partition(":")[0])
