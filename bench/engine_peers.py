"""Where an engine runs: what Docker and Swarm do when code has changed, against twinit in the same engine.

The engine, its images and its containers are those of tests/docker. nginx, Redis and PHP are containers in a network of
their own; who asks does it in nginx's network namespace, so that nothing of Docker's port forwarding is in between.
"""

import contextlib
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import stack
from common import REPO, BenchError, progress
from peers import GRACE, PATIENCE, WORKERS, Peer, install_app
from serving import NAP_MS
from updates import WAIT_MS, lost_by, wait_of

sys.path[:0] = [str(REPO / "tests" / "docker"), str(REPO / "tests" / "lib")]
import containers  # noqa: E402 (these four are found by the line above)
import engine  # noqa: E402
import images  # noqa: E402
from waiting import wait_until  # noqa: E402

DEBIAN = images.RELEASES[0]
USER = 1000  # of the sample image
PAUSE = 0.05  # a look starts a program


def named(what):
    """What a container, service or network of the benchmark is called."""
    return images.named(DEBIAN, "bench-" + what)


class EngineSite(stack.Stack):
    """A Stack whose parts are containers; the release is moved in a folder that they have mounted."""

    def __init__(self, directory, *, docker, network, run_php, **options):
        super().__init__(directory, **options)
        self.docker, self._network, self._run_php = docker, network, run_php
        self._running = contextlib.ExitStack()

    def prepare(self):
        super().prepare()
        shutil.chown(self.directory / "app", USER, USER)  # twinit moves `published` there

    def start(self):
        """Returns when the site answers; from then on the calling thread is in nginx's network."""
        self.docker("network", "create", *self._network, named("net"))
        self._running.callback(self.docker, "network", "rm", named("net"))
        self._run("redis", "redis:7")
        nginx = self._run("nginx", "nginx:stable", *self._nginx_options())
        self._running.enter_context(self._run_php(self))
        containers.enter_network(nginx.pid)
        stack.wait_for("the site answers", lambda: stack.can_connect((stack.HOST, self.port))
                       and self.get("/ping.php").status == 200, PATIENCE)

    def stop(self):
        self._running.close()
        super().stop()

    def _run(self, name, image, *options):
        return self._running.enter_context(containers.run(
            self.docker, named(name), image, options=[*self.in_network(name), *options]))

    def _nginx_options(self):
        values = {"SITE_LISTEN": "%s:%d" % (stack.HOST, self.port), "PHP_ADDRESS": "php:9000", "PHP_RETRY": "off"}
        template = mount(REPO / "nginx" / "site.conf.template", "/etc/nginx/templates/default.conf.template")
        return [*environment(values), *template, *mount(self.directory / "app", "/srv/app")]

    def in_network(self, alias):
        """Options for what has this name in the network."""
        return ["--network", "name=%s,alias=%s" % (named("net"), alias)]

    def php_options(self):
        """Options of `docker run` and `docker service create`: the network, the release, FPM's files, this twinit."""
        return [*self.in_network("php"), *mount(self.directory / "app", "/srv/app"),
                *mount(self.tasks[0].fpm_config, "/srv/php-fpm"), *mount(self.binary, "/usr/local/sbin/twinit")]


def mount(source, target):
    """Options for a file or folder of this machine."""
    return ["--mount", "type=bind,source=%s,target=%s" % (source, target)]


def environment(values):
    """Options for variables."""
    return [word for item in values.items() for word in ("--env", "%s=%s" % item)]


class EnginePeer(Peer):
    """php-fpm in a container of its own, behind nginx in another one."""

    network = ()
    # As the official image has it: php-fpm is the command, it is asked to end by QUIT, and there is no healthcheck.
    options = ["--entrypoint", "php-fpm" + images.PHP[DEBIAN], "--stop-signal", "SIGQUIT", "--no-healthcheck"]
    words = ["-F", "-y", "/srv/php-fpm/php-fpm.conf"]
    over = "ready to handle connections"  # what the container's log says then

    def __init__(self, bench, docker):
        self.docker = docker
        super().__init__(bench, pool={"listen": "9000"}, site_class=EngineSite, docker=docker, network=self.network,
                         run_php=self.run_php)

    def __enter__(self):
        self.site.__enter__()
        try:
            install_app(self.site)
            self.site.start()
        except BaseException:
            self.site.__exit__(*sys.exc_info())
            raise
        return self

    def __call__(self, _bench):
        """Itself, for lost_by(), which starts the peer that it measures."""
        return contextlib.nullcontext(self)

    def run_php(self, site):
        """A context in which PHP runs."""
        return containers.run(self.docker, named("php"), images.sample(DEBIAN), *self.words,
                              options=["--stop-timeout", PATIENCE, *self.options, *site.php_options()])

    def renew(self):
        container = containers.Container(self.docker, named("php"))
        before = container.logs().count(self.over)
        self.ask(container)
        wait_until("one more line says %r" % self.over, PATIENCE, lambda: container.logs().count(self.over),
                   lambda seen: seen > before, PAUSE)

    def ask(self, container):
        """Asks the container for the new code."""
        raise NotImplementedError


class Restart(EnginePeer):
    """`docker restart` of the usual container."""

    name = "docker restart"

    def ask(self, container):
        self.docker("restart", "--time", PATIENCE, container.id)


class TwinitHup(EnginePeer):
    """twinit, told by a signal."""

    name = "twinit, docker kill -s HUP"
    options = environment({"TWINIT_APP_QUIET": "0ms"})
    words = ()
    over = "is active on"

    def ask(self, container):
        container.kill("HUP")


class Swarm(EnginePeer):
    """A service of one task, replaced by a new one that is started first."""

    name = "Swarm, start-first"
    network = ("--driver", "overlay", "--attachable")

    @contextlib.contextmanager
    def run_php(self, site):
        """The service; its task ends gracefully at the end."""
        self.docker("service", "create", "--quiet", "--name", named("php"), "--endpoint-mode", "dnsrr",
                    "--update-order", "start-first", "--update-monitor", "1s", "--stop-grace-period", "%ds" % PATIENCE,
                    *self.options, *site.php_options(), images.sample(DEBIAN), *self.words)
        try:
            yield
        finally:
            self.docker("service", "rm", named("php"))
            wait_until("the service's containers are gone", 2 * PATIENCE, lambda: self.docker(
                "ps", "--all", "--quiet", "--filter", "label=com.docker.swarm.service.name=" + named("php")),
                lambda left: left == "", PAUSE)

    def renew(self):
        self.docker("service", "update", "--force", "--quiet", "--detach=false", named("php"), timeout=4 * PATIENCE)


class TwinitSwarm(Swarm):
    """The same with twinit in the task, which Swarm asks for its health."""

    name = "twinit, Swarm start-first"
    options = environment({"TWINIT_APP_STOP_TIMEOUT": "40s"})
    words = ()


KINDS = (TwinitHup, Restart, Swarm, TwinitSwarm)


def prepare(docker):
    """The images, of which those that are there are not made again."""
    progress("engine: images")
    images.prepare_services(docker)
    images.build(docker, images.sample(DEBIAN), REPO, "--target", "php", "--build-arg", "DEBIAN=" + DEBIAN)


def measure(bench, docker, kind, updates, rounds):
    """One peer's row: {column: samples}."""
    with kind(bench, docker) as peer:
        row = lost_by(bench, peer, updates)
        waits = []
        for turn in range(rounds):
            progress("engine: %s, wait %d of %d" % (kind.name, turn + 1, rounds))
            waits.append(wait_of(peer))
    progress("")
    for column in ("longest wait, ms", "failed tries"):
        row[column] = [one[column] for one in waits]
    outcomes = [one["the long request"] for one in waits]
    row["the long request"] = ", ".join("%d × %s" % (outcomes.count(one), one) for one in sorted(set(outcomes)))
    return row


def publish(bench, docker, rows, updates, rounds):
    """The table."""
    table = bench.table("engine", "Docker Engine %s; %d updates each under %d connections without a pause, as in `lost`: "
                        "POST, one of 40 naps %d ms; web-server retries off; nginx asks Docker's DNS every second; then %d "
                        "rounds of an update while a request of %d s is in flight, as in `wait`; process_control_timeout = %s"
                        % (docker("version", "--format", "{{.Server.Version}}"), updates, 2 * WORKERS, NAP_MS, rounds,
                           WAIT_MS // 1000, GRACE), list(next(iter(rows.values()))))
    for name, row in rows.items():
        table.add_all(name, row)
    bench.publish(table)


def in_engine(bench):
    """Updates where an engine runs: docker restart and Swarm's start-first against twinit there."""
    updates, rounds = bench.count(10, 2), bench.count(3, 1)
    rows = {}
    try:
        with engine.get() as docker, engine.swarm(docker):
            prepare(docker)
            for kind in KINDS:
                # In a thread of its own, because that thread stays in the network of its site.
                with ThreadPoolExecutor(1) as visitors:
                    rows[kind.name] = visitors.submit(measure, bench, docker, kind, updates, rounds).result()
            publish(bench, docker, rows, updates, rounds)
    except engine.EngineError as error:
        raise BenchError(str(error)) from error
