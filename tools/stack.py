"""The sample stack: Redis, nginx, and one or more twinit ("tasks") in front of real php-fpm.

Each twinit is PID 1 of its own PID and mount namespace, as in a container, and has its own host name
(phpredis names session locks by host name and pid). `make up` and the integration tests use it:

    with Stack.temporary(tasks=2, pool={"pm": "static"}, retries=False) as stack:
        stack.get("/ping.php").body        # "pong 1"
        stack.current(2)                   # moves the symlink, as a deployer does
        stack.restart()                    # `twinit restart`: returns when the roll is over
        stack.tasks[1].masters()           # pids of its FPM masters as seen from outside

What the processes see, in mount namespaces of their own, so that the clone may lie where www-data
cannot enter, and nothing is left mounted afterwards:

    /srv/app      <directory>/app          releases/1, releases/2, current, published
    /srv/run      <directory>/twinit       twinit's run_dir; `control` works from outside as well
    /srv/php-fpm  <directory>/php-fpm      copy of php-fpm/ with the stack's own values in zz-stack files
    /srv/nginx, /srv/sock, /srv/log, /srv/bin/twinit

The second task has the folders twinit-2 and php-fpm-2, the third -3, and so on.
"""

import collections
import errno
import fcntl
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOST = "127.0.0.1"
# Of the environment: these belong to the stack and would break it when inherited.
NOT_INHERITED = {"TWINIT_RUN_DIR"}

# Runs as `sh -c ENTER enter HOSTNAME ROOT [SOURCE NAME]... -- COMMAND...` in a new mount namespace:
# builds the tree below ROOT and only then moves it over /srv, so that sources may lie in /srv themselves.
ENTER = r"""
set -eu
[ -z "$1" ] || hostname "$1"
root=$2
shift 2
mount -n -t tmpfs -o mode=755,size=1m twinit-srv "$root"
while [ "$1" != -- ]; do
	if [ -d "$1" ]; then mkdir "$root/$2"; else mkdir -p "$root/${2%/*}"; : >"$root/$2"; fi
	mount -n --bind "$1" "$root/$2"
	shift 2
done
shift
mount -n --move "$root" /srv
exec "$@"
"""

# nginx around the site; the site itself is nginx/site.conf.template.
NGINX_CONF = """\
# Made by tools/stack.py.
daemon off;
%(user)s
worker_processes 2;
worker_rlimit_nofile 8192;
worker_shutdown_timeout 10s;
pid /srv/nginx/nginx.pid;
error_log stderr warn;
events {
	worker_connections 4096;
}
http {
	include /etc/nginx/mime.types;
	default_type application/octet-stream;
	log_format stack '$msec $status $request_method $request_uri $body_bytes_sent $request_time '
			 '[$upstream_addr] [$upstream_status] [$upstream_response_time]';
	access_log %(access_log)s;
	client_body_temp_path /srv/nginx/body;
	fastcgi_temp_path /srv/nginx/fastcgi;
	proxy_temp_path /srv/nginx/proxy;
	uwsgi_temp_path /srv/nginx/uwsgi;
	scgi_temp_path /srv/nginx/scgi;
	keepalive_requests 1000000;
	upstream tasks {
%(servers)s	}
	include /srv/nginx/site.conf;
}
"""


class StackError(Exception):
    """Something cannot start, or did not happen in time; the text is for the person at the terminal."""


def wait_for(what, ready, timeout=30.0, alive=None, pause=0.02):
    """Waits until ready() is true and returns what it returned. alive() may raise to give up early."""
    deadline = time.monotonic() + timeout
    while True:
        result = ready()
        if result:
            return result
        if alive is not None:
            alive()
        if time.monotonic() > deadline:
            raise StackError("%s: not within %g s" % (what, timeout))
        time.sleep(pause)


def can_connect(address):
    """True when something accepts connections on (host, port) or on the path of a Unix socket."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(address) == 0


def port_problem(port):
    """Why 127.0.0.1:port cannot be bound now; "" when it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            return "is not allowed for this user"
        except OSError as error:
            return "is in use" if error.errno == errno.EADDRINUSE else "cannot be used: " + error.strerror
        return ""


given_ports = collections.deque(maxlen=1000)  # lately; nobody may listen there yet


def free_ports(count):
    """A port with count - 1 free ones after it, below the range from which clients get theirs; each time others."""
    for _ in range(1000):
        first = random.randrange(10000, 32000)
        wanted = range(first, first + count)
        if not any(port in given_ports or port_problem(port) for port in wanted):
            given_ports.extend(wanted)
            return first
    raise StackError("no free ports between 10000 and 32000")


def children(pid):
    """Pids of the direct children of a process, as seen from here."""
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                found += [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def title(pid):
    """The command line of a process as one string, "" when it is gone or a zombie."""
    try:
        return Path("/proc/%d/cmdline" % pid).read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def make_symlink(target, link):
    """What `ln -sfn` should be: the link names the old target or the new one, never nothing."""
    temporary = link.with_name(".%s.%d" % (link.name, os.getpid()))
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    os.replace(temporary, link)


def make_empty(folder):
    """The folder, new and empty."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    return folder


def open_to_all(path):
    """Readable for www-data whatever the umask was."""
    for folder, _, files in os.walk(path):
        os.chmod(folder, 0o755)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o644)


def render(text, values):
    """Fills in ${NAME} for the names that are given, as envsubst in the nginx image does."""
    return re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], match[0]), text)


class Namespaces:
    """How a command gets namespaces of its own: directly as root, inside a user namespace otherwise."""

    def __init__(self):
        self.root = os.geteuid() == 0

    def _unshare(self, *options):
        user = [] if self.root else ["--user", "--map-current-user", "--keep-caps"]
        return ["unshare", *user, "--mount", *options]

    def possible(self):
        """True when this user may make the namespaces that the stack needs."""
        probe = self._unshare("--pid", "--uts", "--fork", "--mount-proc") + ["mount", "-t", "tmpfs", "none", "/srv"]
        return subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def _enter(self, hostname, root, binds, command):
        # The binds need capabilities of the user namespace; the command gets none of them.
        drop = [] if self.root else ["setpriv", "--inh-caps=-all", "--ambient-caps=-all", "--"]
        pairs = [str(word) for pair in binds for word in pair]
        return ["sh", "-c", ENTER, "enter", hostname, str(root), *pairs, "--", *drop, *command]

    def beside(self, root, binds, command):
        """argv: the command in a mount namespace of its own."""
        return self._unshare() + self._enter("", root, binds, command)

    def pid1(self, hostname, root, binds, command):
        """argv: the command as PID 1 of a PID namespace, with a host name; dies with its parent."""
        options = ["--pid", "--uts", "--fork", "--mount-proc", "--kill-child"]
        return self._unshare(*options) + self._enter(hostname, root, binds, command)


class Process:
    """A process of the stack. Its output goes line by line to a log file, and to `echo` when given."""

    def __init__(self, name, log, echo=None):
        self.name = name
        self.log = Path(log)
        self.echo = echo
        self.lines = collections.deque(maxlen=100000)
        self._count = 0
        self._news = threading.Condition()
        self._popen = None
        self._pump = None

    def start(self, argv, env=None, if_we_die="TERM"):
        """Starts it in its own session: Ctrl-C reaches only us.

        It gets a signal when the thread that called this ends, so that nothing survives our own kill -9.
        """
        argv = ["setpriv", "--pdeathsig", if_we_die, *[str(word) for word in argv]]
        self._popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, cwd="/", env=env, start_new_session=True)
        self._pump = threading.Thread(target=self._copy, args=(self._popen.stdout,), daemon=True)
        self._pump.start()

    def _copy(self, pipe):
        with pipe, open(self.log, "ab", buffering=0) as log:
            for raw in pipe:
                log.write(raw)
                if self.echo is not None:
                    self.echo.write(raw.decode(errors="replace"))
                    self.echo.flush()
                with self._news:
                    self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                    self._count += 1
                    self._news.notify_all()

    def mark(self):
        """The number of lines so far; for since()."""
        with self._news:
            return self._count

    def since(self, mark=0):
        """The lines written after a mark()."""
        with self._news:
            return self._since(mark)

    def _since(self, mark):
        fresh = min(self._count - mark, len(self.lines))
        return list(self.lines)[len(self.lines) - fresh:]

    def wait_line(self, pattern, since=0, timeout=30.0):
        """Waits for a line that matches the pattern, after a mark(), and returns the match."""
        def find():
            return next(filter(None, (re.search(pattern, line) for line in self._since(since))), None)
        with self._news:
            match = self._news.wait_for(find, timeout)
        if match is None:
            raise StackError("%s: no line like %r within %g s; it said:\n%s"
                             % (self.name, pattern, timeout, self.tail()))
        return match

    def tail(self, count=15):
        """The last lines of its output, indented."""
        with self._news:
            return "\n".join("    " + line for line in list(self.lines)[-count:]) or "    (nothing)"

    @property
    def pid(self):
        """The pid of the process itself, None when it does not run."""
        return self._popen.pid if self.running() else None

    @property
    def status(self):
        """None while it runs, else the exit status; 128 + n when signal n ended it.

        For a Task it is that of unshare: twinit's own exit status, but anything except 0 when it was killed.
        """
        code = None if self._popen is None else self._popen.poll()
        return 128 - code if code is not None and code < 0 else code

    def running(self):
        """True from start() until it has exited."""
        return self._popen is not None and self._popen.poll() is None

    def check(self):
        """Raises when it does not run."""
        if not self.running():
            self._drain_output()
            raise StackError("%s ended with status %s; it said:\n%s" % (self.name, self.status, self.tail()))

    def send(self, number):
        """Sends a signal to the process itself, if it runs."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, number)

    def wait(self, timeout=30.0):
        """Waits for its end and returns the exit status; raises when it goes on."""
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise StackError("%s: still running after %g s" % (self.name, timeout)) from None
        self._drain_output()
        return self.status

    def _drain_output(self):
        # What holds the pipe open longer than the process is a stray; the tests look for those.
        self._pump.join(5)

    def stop(self, number=signal.SIGTERM, timeout=30.0):
        """Asks it to stop, kills it when it does not; returns the exit status, None if it had to be killed."""
        if not self.running():
            return self.status
        self.send(number)
        try:
            return self.wait(timeout)
        except StackError:
            self.send(signal.SIGKILL)
            self._popen.kill()
            self._popen.wait()
            return None


class Task(Process):
    """One twinit as PID 1 of its own namespaces: what a container of the php service is."""

    def __init__(self, stack, number):
        self.stack = stack
        self.number = number
        self.suffix = "" if number == 1 else "-%d" % number
        name = "twinit" + self.suffix
        super().__init__(name, stack.directory / "log" / (name + ".log"), stack.echo)
        self.run_dir = stack.directory / name
        self.fpm_config = stack.directory / ("php-fpm" + self.suffix)
        self.pid_file = stack.directory / (name + ".pid")
        self.port = stack.fpm_port + number - 1
        self.env = {}

    @property
    def listen(self):
        """FPM's `listen` as seen inside."""
        return "/srv/sock/php%s.sock" % self.suffix if self.stack.unix else "%s:%d" % (HOST, self.port)

    @property
    def address(self):
        """The same from outside: (host, port), or the path of the socket."""
        return str(self.stack.directory / "sock" / Path(self.listen).name) if self.stack.unix else (HOST, self.port)

    @property
    def pid(self):
        """twinit's pid as seen from outside: the only child of the unshare that made it PID 1."""
        return next(iter(children(self._popen.pid)), None) if self.running() else None

    def environment(self):
        """What twinit gets: a container's environment, not the caller's, except for TWINIT_*."""
        inherited = {name: value for name, value in os.environ.items()
                     if name.startswith("TWINIT_") and name not in NOT_INHERITED}
        return {
            "PATH": PATH, "HOME": "/", "LANG": "C.UTF-8",
            "REDIS_HOST": HOST, "REDIS_PORT": str(self.stack.redis_port),
            "PHP_INI_SCAN_DIR": ":/srv/php-fpm/conf.d",
            "TWINIT_RUN_DIR": "/srv/run",
            "TWINIT_APP_RELEASE": "/srv/app/current",
            "TWINIT_APP_PUBLISH": "/srv/app/published",
            "TWINIT_APP_FPM_CONFIG": "/srv/php-fpm/php-fpm.conf",
            **inherited, **self.stack.env, **self.env,
        }

    def configure(self):
        """Copies php-fpm/ and adds the stack's values in files that FPM and PHP read last."""
        make_empty(self.fpm_config).rmdir()
        shutil.copytree(REPO / "php-fpm", self.fpm_config, ignore=shutil.ignore_patterns("app", "install"))
        pool = {"listen": self.listen, **self.stack.pool}
        if self.stack.unix and os.geteuid() == 0:
            pool = {"listen.owner": "www-data", "listen.mode": "0660", **pool}
        write_ini(self.fpm_config / "pool.d" / "zz-stack.conf", {"global": self.stack.fpm_global, "www": pool})
        write_ini(self.fpm_config / "conf.d" / "zz-stack.ini", {"PHP": self.stack.ini})
        open_to_all(self.fpm_config)
        make_empty(self.run_dir)

    def binds(self):
        """(source, name below /srv) of the tree that this task sees."""
        directory = self.stack.directory
        binds = [(directory / "app", "app"), (self.run_dir, "run"), (self.fpm_config, "php-fpm"),
                 (directory / "sock", "sock")]
        if self.stack.binary.exists():
            binds.append((self.stack.binary, "bin/twinit"))
        return binds

    def start(self, argv=None, env=None):
        """Starts twinit, does not wait until it serves or fails; argv defaults to the stack's command."""
        env = self.environment() if env is None else env
        # Through env(1): what leads there (mount, ...) is found by our PATH, the command by its own.
        command = ["/usr/bin/env", "-i", *("%s=%s" % item for item in env.items()), *(argv or self.stack.command)]
        super().start(self.stack.namespaces.pid1("task%d" % self.number, self.stack.mount_point, self.binds(), command),
                      {"PATH": PATH}, if_we_die="KILL")
        pid = wait_for(self.name, lambda: self.pid or not self.running() and "gone", 10)
        if pid != "gone":
            self.pid_file.write_text("%d\n" % pid)

    def wait_ready(self, timeout=60.0):
        """Waits until twinit calls itself healthy; without twinit, until php-fpm accepts."""
        def healthy():
            if self.stack.command[0] != Stack.TWINIT:
                return can_connect(self.address)
            return self.twinit("health").returncode == 0
        wait_for(self.name, healthy, timeout, self.check, pause=0.05)

    def stop(self, number=signal.SIGTERM, timeout=60.0):
        """As Process.stop(); TERM drains first."""
        status = super().stop(number, timeout)
        self.pid_file.unlink(missing_ok=True)
        return status

    def hup(self):
        """What `docker kill -s HUP` is: asks for a roll and returns at once."""
        self.send(signal.SIGHUP)

    def twinit(self, *words, timeout=120, **options):
        """Runs `twinit WORDS...` from outside; returns a CompletedProcess with text output."""
        env = {**os.environ, "TWINIT_RUN_DIR": str(self.run_dir)}
        return subprocess.run([str(self.stack.binary), *words], env=env, timeout=timeout, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def restart(self, timeout=120):
        """`twinit restart`: rolls, waits; raises when it failed."""
        done = self.twinit("restart", timeout=timeout)
        if done.returncode != 0:
            raise StackError("%s restart: exit status %d\n%s%s"
                             % (self.name, done.returncode, done.stdout, done.stderr))
        return done.stdout

    def status_json(self):
        """`twinit status --json`, parsed."""
        done = self.twinit("status", "--json")
        if done.returncode != 0 and not done.stdout:
            raise StackError("%s status: exit status %d\n%s" % (self.name, done.returncode, done.stderr))
        return json.loads(done.stdout)

    def masters(self):
        """Outside pids of its FPM masters, oldest first."""
        pid = self.pid
        return [] if pid is None else sorted(child for child in children(pid)
                                             if title(child).startswith("php-fpm: master"))

    def descendants(self):
        """Outside pids of everything below twinit, zombies included."""
        pid, found = self.pid, []
        todo = [pid] if pid else []
        while todo:
            below = children(todo.pop())
            found += below
            todo += below
        return found


def write_ini(path, sections):
    """Writes {section: {key: value}}; sections without keys are left out."""
    text = "; Made by tools/stack.py; read last, and later values win.\n"
    for section, values in sections.items():
        if values:
            text += "[%s]\n" % section + "".join("%s = %s\n" % item for item in values.items())
    path.write_text(text)


Response = collections.namedtuple("Response", "status body headers")


class Stack:
    """All of it. start() raises StackError when something cannot start, and has stopped the rest by then."""

    TWINIT = "/srv/bin/twinit"

    def __init__(self, directory=REPO / ".run", *, tasks=1, port=None, fpm_port=None, redis_port=None,
                 unix=False, retries=True, pool=None, fpm_global=None, ini=None, env=None, command=None,
                 binary=None, access_log=True, echo=None):
        """Nothing happens yet.

        port, fpm_port, redis_port: None takes PORT, FPM_PORT, REDIS_PORT from the environment or the
        usual ones; 0 looks for a free one. Task n has fpm_port + n - 1.
        unix: nginx and FPM talk over Unix sockets. retries: nginx may try another task.
        pool, fpm_global, ini: values over those of php-fpm/ ([www], [global], php.ini).
        env: environment of every twinit, over the caller's TWINIT_*; tasks[n].env for one of them.
        command: argv inside, default [Stack.TWINIT]; e.g. ["php-fpm8.2", "-F", "-y", "/srv/php-fpm/php-fpm.conf"].
        """
        self.directory = Path(directory).absolute()
        self.mount_point = self.directory / "srv"
        self.binary = Path(binary or REPO / "build" / "twinit").absolute()
        self.command = command or [self.TWINIT]
        self.unix, self.retries, self.access_log, self.echo = unix, retries, access_log, echo
        self.pool, self.fpm_global, self.ini, self.env = pool or {}, fpm_global or {}, ini or {}, env or {}
        self.port = choose_port(port, "PORT", 8080)
        self.fpm_port = choose_port(fpm_port, "FPM_PORT", 9000, tasks)
        self.redis_port = choose_port(redis_port, "REDIS_PORT", 6379)
        self.namespaces = Namespaces()
        self.redis = Process("redis", self.directory / "log" / "redis.log")
        self.nginx = Process("nginx", self.directory / "log" / "nginx.log")
        self.tasks = [Task(self, number) for number in range(1, tasks + 1)]
        self.killed = []
        self._lock = None
        self._temporary, self._autostart = False, True

    @classmethod
    def temporary(cls, autostart=True, **options):
        """A stack for a test: its own folder in /tmp (short, for the control socket), free ports.

        autostart=False: `with` only prepares; the test starts what it wants to see start or fail.
        The folder goes at the end of `with`, and stays when the test failed.
        """
        ports = {"port": 0, "fpm_port": 0, "redis_port": 0}
        stack = cls(tempfile.mkdtemp(prefix="twinit-", dir="/tmp"), **{**ports, **options})
        stack._temporary, stack._autostart = True, autostart
        return stack

    def __enter__(self):
        if self._autostart:
            self.start()
        else:
            self.prepare()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if self._temporary and kind is None and not self.killed:
            shutil.rmtree(self.directory)
        elif self._temporary:
            print("stack: logs are in %s/log" % self.directory, file=sys.stderr)

    # The parts, for tests that start things one by one.

    def prepare(self):
        """Makes the folders, releases and configs; starts nothing."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        self._require_free_ports()
        for name in ("app", "nginx", "sock", "log", "srv"):
            make_empty(self.directory / name)
        (self.directory / "redis").mkdir(exist_ok=True)
        self.install_release(1)
        self.install_release(2)
        self.current(1)
        for name in ("app", "nginx", "sock"):
            os.chmod(self.directory / name, 0o755)
        if os.geteuid() == 0:
            shutil.chown(self.directory / "sock", "www-data")
        for task in self.tasks:
            task.configure()
        self._write_nginx_config()
        if self.command[0] == self.TWINIT and not self.binary.exists():
            raise StackError("%s does not exist: `make build` makes it" % self.binary)

    def start(self):
        """prepare() unless done, then Redis, every twinit, nginx; returns when the site answers."""
        try:
            if self._lock is None:
                self.prepare()
            self.start_redis()
            for task in self.tasks:
                task.start()
            for task in self.tasks:
                task.wait_ready()
            self.start_nginx()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """Stops everything, the door first and the sessions last; see `killed` for what did not obey."""
        order = [(self.nginx, signal.SIGQUIT)]
        order += [(task, signal.SIGTERM) for task in self.tasks] + [(self.redis, signal.SIGTERM)]
        for process, number in order:
            if process.running() and process.stop(number) is None:
                self.killed.append(process.name)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def redis_command(self):
        """argv: Redis on its port, with its data."""
        return ["redis-server", REPO / "redis" / "redis.conf", "--bind", HOST,
                "--port", self.redis_port, "--dir", self.directory / "redis"]

    def start_redis(self):
        """Starts Redis and waits until it answers."""
        self.redis.start(self.redis_command(), {"PATH": PATH})
        wait_for("redis", lambda: redis_answers(self.redis_port), 30, self.redis.check)

    def stop_redis(self):
        """Stops Redis; its data stays for start_redis()."""
        self.redis.stop()

    def start_nginx(self):
        """Starts nginx and waits until it answers."""
        binds = [(self.directory / "app", "app"), (self.directory / "nginx", "nginx"),
                 (self.directory / "sock", "sock"), (self.directory / "log", "log")]
        command = ["nginx", *nginx_early_log(), "-p", "/srv/nginx/", "-c", "/srv/nginx/nginx.conf"]
        self.nginx.start(self.namespaces.beside(self.mount_point, binds, command), {"PATH": PATH})
        wait_for("nginx", lambda: can_connect((HOST, self.port)), 30, self.nginx.check)

    def processes(self):
        """Everything that should be running."""
        return [self.redis, *self.tasks, self.nginx]

    # Releases.

    def install_release(self, number):
        """Installs the sample app as release `number`."""
        target = self.directory / "app" / "releases" / str(number)
        shutil.copytree(REPO / "php-fpm" / "app", target)
        for file in filter(Path.is_file, target.rglob("*")):
            file.write_text(file.read_text().replace("@RELEASE@", str(number)))
        open_to_all(target.parent)
        return target

    def current(self, release):
        """Points `current` at a release (number or name), atomically; nothing rolls."""
        make_symlink("releases/%s" % release, self.directory / "app" / "current")

    # The first task, which is the only one in most tests.

    @property
    def task(self):
        """The first task."""
        return self.tasks[0]

    def hup(self):
        """HUP to the first task."""
        self.task.hup()

    def restart(self, timeout=120):
        """`twinit restart` of the first task."""
        return self.task.restart(timeout)

    def status_json(self):
        """`twinit status --json` of the first task."""
        return self.task.status_json()

    # The site.

    def url(self, path="/"):
        """The address of a page."""
        return "http://%s:%d%s" % (HOST, self.port, path)

    def get(self, path, cookie=None, method="GET", timeout=60):
        """One request through nginx; an HTTP error is a Response like any other."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        try:
            connection.request(method, path, headers={"Cookie": cookie} if cookie else {})
            answer = connection.getresponse()
            return Response(answer.status, answer.read().decode(errors="replace"), answer.headers)
        finally:
            connection.close()

    # Inner parts.

    def _take_lock(self):
        self._lock = open(self.directory / "lock", "w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            self._lock = None
            raise StackError("%s belongs to a stack that is running; for a second one, say RUN=.run/second "
                             "and other ports (PORT, FPM_PORT, REDIS_PORT)" % self.directory) from None

    def _require_free_ports(self):
        ports = [("PORT", self.port, "nginx"), ("REDIS_PORT", self.redis_port, "redis")]
        if not self.unix:
            ports += [("FPM_PORT", task.port, task.name) for task in self.tasks]
        for variable, port, name in ports:
            problem = port_problem(port)
            if problem:
                raise StackError("port %d, for %s, %s; choose another one with %s, e.g. %s=%d"
                                 % (port, name, problem, variable, variable, free_ports(1)))

    def _write_nginx_config(self):
        folder = self.directory / "nginx"
        prefix = "unix:" if self.unix else ""
        # max_fails=0: a task that failed one request is asked again at once, not avoided for ten seconds.
        servers = "".join("\t\tserver %s%s max_fails=0;\n" % (prefix, task.listen) for task in self.tasks)
        (folder / "nginx.conf").write_text(NGINX_CONF % {
            "user": "user www-data;" if os.geteuid() == 0 else "",
            "access_log": "/srv/log/access.log stack buffer=64k flush=1s" if self.access_log else "off",
            "servers": servers})
        (folder / "site.conf").write_text(render((REPO / "nginx" / "site.conf.template").read_text(), {
            "SITE_LISTEN": "%s:%d" % (HOST, self.port),
            "PHP_ADDRESS": "tasks" if len(self.tasks) > 1 else prefix + self.task.listen,
            "PHP_RETRY": "error timeout" if self.retries else "off"}))


def choose_port(value, variable, default, count=1):
    """The port that was asked for; see Stack."""
    if value is None:
        text = os.environ.get(variable) or str(default)
        if not text.isdigit() or int(text) > 65535:
            raise StackError("%s=%s is not a port number" % (variable, text))
        value = int(text)
    return value or free_ports(count)


def redis_answers(port):
    """True when Redis has loaded its data and answers PING."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as client:
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def nginx_early_log():
    """`-e stderr` where nginx knows it (1.19.5): otherwise it first opens a log file in /var/log."""
    text = subprocess.run(["nginx", "-v"], env={"PATH": PATH}, stderr=subprocess.PIPE, text=True).stderr
    version = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", text)
    return ["-e", "stderr"] if version and tuple(map(int, version.groups())) >= (1, 19, 5) else []
