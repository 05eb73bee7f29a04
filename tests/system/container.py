"""A twinit under test: the real binary as PID 1 of namespaces of its own, in front of stub masters.

    with Container(replicas=2) as c:       # prepared, not started
        c.boot()                           # returns when it is ready
        c.request()                        # "1 www/2 17": release, replica, pid (inside)
        c.deploy(2)
        c.behave("g2:mute")                # see tests/support/stub-fpm.c
        c.signal("HUP")
        c.log.wait("roll failed")

Nothing here sleeps to wait: log lines, what the stubs do and exits are waited for as they come. Every
wait has a generous deadline, after which the test fails and shows the log.
"""

import atexit
import contextlib
import functools
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BUILT = Path(os.environ.get("TWINIT", REPO / "build" / "twinit"))
PATIENCE = 15.0  # seconds; a deadline for what takes milliseconds
LANES = 4  # LANE_COUNT
UNDER = os.environ.get("UNDER", "").split()  # what runs the twinit that is PID 1
MODES = {"pid1": ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child"], "subreaper": []}
PHP_USER = ("www-data", 33)

DUMP = """\
[21-Nov-2026 10:00:00] NOTICE: [global]
[21-Nov-2026 10:00:00] NOTICE: \tpid = undefined
[21-Nov-2026 10:00:00] NOTICE: \terror_log = /dev/null
[21-Nov-2026 10:00:00] NOTICE:  
%s[21-Nov-2026 10:00:00] NOTICE: configuration file /proc/self/fd/3 test is successful
"""
INFO = """\
phpinfo()
PHP Version => 8.2.0
Configuration File (php.ini) Path => %s
session.save_handler => %s => %s
session.save_path => %s => %s
"""


def limit(milliseconds):
    """A time limit of twinit's, in which its helpers have to see something: longer for valgrind's."""
    return "%dms" % (milliseconds * (3 if UNDER else 1))


@functools.lru_cache
def programs():
    """A folder with the stub, compiled, and a copy of twinit, which nobody builds anew meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="twinit-programs-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-o", folder / "stub-fpm",
                    REPO / "tests" / "support" / "stub-fpm.c"], check=True)
    shutil.copy2(BUILT, folder / "twinit")
    return folder


def binary():
    """The twinit under test."""
    return programs() / "twinit"


def stub():
    """The stub masters' program."""
    return programs() / "stub-fpm"


class TookTooLong(AssertionError):
    """What was waited for did not happen; says what happened instead."""


class Stream:
    """Lines as they come, kept; any thread may wait for one.

    `pump` takes what has come and was not seen yet: whoever looks sees all that happened before.
    """

    def __init__(self):
        self.lines = []
        self.ended = False
        self.condition = threading.Condition(threading.RLock())
        self.pump = lambda: None

    def add(self, line):
        """One more line."""
        with self.condition:
            self.lines.append(line)
            self.condition.notify_all()

    def end(self):
        """No more lines will come."""
        with self.condition:
            self.ended = True
            self.condition.notify_all()

    def mark(self):
        """Where the next line will be: for wait(after=...)."""
        with self.condition:
            self.pump()
            return len(self.lines)

    def find(self, pattern, after=0):
        """All matches so far."""
        with self.condition:
            self.pump()
            return [m for m in (re.search(pattern, line) for line in self.lines[after:]) if m]

    def wait(self, pattern, after=0, count=1, timeout=PATIENCE):
        """The count-th match of the pattern in a line at or after a mark."""
        deadline = time.monotonic() + timeout
        with self.condition:
            while True:
                found = [m for m in (re.search(pattern, line) for line in self.lines[after:]) if m]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    raise TookTooLong("%d of %d times %r in:\n%s" % (
                        len(found), count, pattern, "\n".join(self.lines[after:][-60:])))
                self.condition.wait(left)


def free_port():
    """A TCP port nobody listens on, below the range from which clients get theirs."""
    for _ in range(1000):
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise RuntimeError("no free port")


def record(kind, content=b""):
    """One FastCGI record."""
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


class Request:
    """A FastCGI request that is begun; its worker is busy until end()."""

    def __init__(self, address, script="/", timeout=PATIENCE):
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        name = b"SCRIPT_NAME"
        param = bytes([len(name), len(script)]) + name + script.encode()
        self.socket.sendall(record(1, b"\0\1\0\0\0\0\0\0") + record(4, param) + record(4))

    def end(self):
        """Ends the request; its answer, "" when the connection was cut."""
        try:
            self.socket.sendall(record(5))
        except (BrokenPipeError, ConnectionResetError):
            return ""
        return self.answer()

    def answer(self):
        """The body, "" when the connection was cut."""
        data = b""
        try:
            while chunk := self.socket.recv(65536):
                data += chunk
        except ConnectionResetError:
            pass
        self.socket.close()
        body = b""
        ended = False
        while len(data) >= 8:
            _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", data[:8])
            if kind == 6:
                body += data[8:8 + size]
            ended = ended or kind == 3
            data = data[8 + size + padding:]
        return body.partition(b"\r\n\r\n")[2].decode() if ended else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def children(pid):
    """Pids of the children of a process, as seen from here."""
    try:
        return [int(word) for task in os.listdir("/proc/%d/task" % pid)
                for word in Path("/proc/%d/task/%s/children" % (pid, task)).read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def end_of(process):
    """The exit status of a command in the background, and what it said."""
    text, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, text.decode()


def start_time(pid):
    """Distinguishes a process from a later one with its number; None when it is gone."""
    try:
        return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


class Container:
    """See the top of this file.

    pid1=False: twinit is not PID 1 but a plain process and subreaper, as under `docker run --init`; what it
    leaves behind stays visible then.
    """

    def __init__(self, pid1=True, unix=False, sessions="files", pools=1, shell=None, prefix=(), **app):
        self.directory = Path(tempfile.mkdtemp(prefix="twinit-system-", dir="/tmp"))
        self.directory.chmod(0o1777)
        self.run_dir = self.directory / "run"
        self.pid1, self.shell, self.prefix = pid1, shell, [*UNDER, *prefix]
        self.port = free_port()
        self.addresses = []
        self.log, self.events = Stream(), Stream()
        self.said = bytearray()  # what came as log, byte for byte
        self.process = self.pid = None
        self.watchers = []
        self.stderr = None  # instead of our pipe
        self.environment = {
            "PATH": os.environ["PATH"],
            "STUB_DIR": str(self.directory),
            "TWINIT_RUN_DIR": str(self.run_dir),
            "TWINIT_APP_PHP_FPM": str(stub()),
            "TWINIT_APP_FPM_CONFIG": str(self.directory / "php-fpm.conf"),
            "TWINIT_APP_RELEASE": str(self.directory / "app" / "current"),
            "TWINIT_APP_QUIET": "0ms",
            "TWINIT_APP_DOCROOT": "public",
        }
        self.set(**{"replicas": 2, "drain_timeout": "10s", "stop_timeout": "8s", **app})
        self._write_files(unix, sessions, pools)
        self._open_events()

    def set(self, **app):
        """Sets options of the app, as the operator does by the environment."""
        for key, value in app.items():
            self.environment["TWINIT_APP_" + key.upper()] = str(value)

    def _write_files(self, unix, sessions, pools):
        self.write("php-fpm.conf", "; read by nobody\n")
        self.write("behave", "")
        handler, path = (sessions, "no value") if isinstance(sessions, str) else sessions
        self.write("info", INFO % (self.directory, handler, handler, path, path))
        for pool in range(pools):
            self.addresses.append(str(self.directory / ("sock%d" % pool)) if unix else ("127.0.0.1", free_port()))
        self.write_dump()
        for number in (1, 2):
            release = self.directory / "app" / "releases" / str(number)
            (release / "public").mkdir(parents=True)
            (release / "release.txt").write_text("%d\n" % number)
        self.deploy(1)

    def write_dump(self, **changed):
        """What `stub-fpm -tt` prints."""
        text = ""
        for pool, address in enumerate(self.addresses):
            listen = address if isinstance(address, str) else "%s:%d" % address
            values = {"user": PHP_USER[0], "listen": listen, "listen.backlog": 511, "listen.mode": "0666",
                      "pm": "dynamic", "pm.max_children": 4, "pm.start_servers": 2, "pm.min_spare_servers": 1,
                      "pm.max_spare_servers": 3, "pm.status_path": "/status", "chroot": "undefined", **changed}
            text += "[21-Nov-2026 10:00:00] NOTICE: [%s]\n" % ("www" if pool == 0 else "pool%d" % pool)
            text += "".join("[21-Nov-2026 10:00:00] NOTICE: \t%s = %s\n" % item for item in values.items())
        self.write("dump", DUMP % text)

    def write(self, name, text):
        """A file in the container's directory, whole at once."""
        temporary = self.directory / (name + ".new")
        temporary.write_text(text)
        temporary.chmod(0o644)
        temporary.rename(self.directory / name)

    def behave(self, *words):
        """How the stubs misbehave from now on."""
        self.write("behave", " ".join(words))

    def deploy(self, number):
        """Moves the release symlink, as a deployer does."""
        link = self.directory / "app" / "current"
        temporary = link.with_name("new")
        temporary.symlink_to("releases/%s" % number)
        temporary.rename(link)

    # --- what happens

    def _open_events(self):
        self.event_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.event_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.event_socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.event_socket.bind(str(self.directory / "events"))
        os.chmod(self.directory / "events", 0o777)
        self._watch(self.event_socket.fileno(), self.events, self._take_events)

    def _watch(self, fd, stream, pump):
        """Pumps whenever something comes, until pump() says that nothing will any more."""
        def run():
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            more = True
            while more:
                poll.poll()
                with stream.condition:
                    more = not stream.ended and pump()

        stream.pump = pump
        self.watchers.append(threading.Thread(target=run, daemon=True))
        self.watchers[-1].start()

    def _take_events(self):
        while not self.events.ended:
            try:
                data, ancillary, _, _ = self.event_socket.recvmsg(2048, 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            # The pid as it is here, not as it is inside.
            pid = struct.unpack("3i", ancillary[0][2][:12])[0]
            self.events.add("%d %s" % (pid, data.decode(errors="replace")))
        return False

    def open_log(self, pipe):
        """Our end of the pipe that is twinit's stderr; after a restart the next one."""
        rest = b""
        fd = pipe.fileno()
        os.set_blocking(fd, False)

        def pump():
            nonlocal rest
            try:
                while chunk := os.read(fd, 1 << 16):
                    self.said += chunk
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        self.log.add(line.decode(errors="replace"))
                self.log.end()
                return False
            except BlockingIOError:
                return True

        self.log.ended = False
        self._watch(fd, self.log, pump)

    # --- life

    def command(self):
        """What is PID 1."""
        return [str(binary())]

    def start(self, *arguments):
        """Starts twinit; returns when it runs."""
        command = [*self.command(), *arguments]
        if self.shell:
            command = ["sh", "-c", self.shell, "sh", *command]
        if self.pid1:
            command = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", *self.prefix, *command]
        self.process = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, cwd="/",
                                        stdout=subprocess.DEVNULL, stderr=self.stderr or subprocess.PIPE)
        if self.stderr is None:
            self.open_log(self.process.stderr)
        self.pid = self._find_pid()
        return self

    def _find_pid(self):
        if not self.pid1:
            return self.process.pid
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := children(self.process.pid):
                return found[0]
        return None

    def boot(self, *arguments):
        """Starts twinit; returns when it is ready."""
        self.start(*arguments)
        self.log.wait(r"twinit: ready: ")
        return self

    def signal(self, name):
        """Sends twinit a signal from outside its namespace, as `docker kill` does."""
        os.kill(self.pid, getattr(signal, "SIG" + name))

    def wait(self, timeout=PATIENCE):
        """The exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TookTooLong("twinit runs on:\n" + "\n".join(self.log.lines[-60:])) from None

    def stop(self):
        """TERM; the exit status."""
        self.signal("TERM")
        return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, *_):
        if error is not None:
            error.container = self.story()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in [] if self.pid1 else self.stubs():
            os.kill(pid, signal.SIGKILL)
        self.events.end()
        self.log.end()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            with contextlib.suppress(BlockingIOError):  # it is full, which wakes the watcher as well
                last.sendto(b"end", socket.MSG_DONTWAIT, str(self.directory / "events"))
        for watcher in self.watchers:
            watcher.join(PATIENCE)
        self.event_socket.close()
        if self.process and self.process.stderr:
            self.process.stderr.close()
        if kind is None:
            shutil.rmtree(self.directory)

    def story(self):
        """What happened, for a test that failed."""
        return "log:\n  %s\nevents:\n  %s\n" % (
            "\n  ".join(self.log.lines[-100:]), "\n  ".join(self.events.lines[-100:]))

    # --- questions

    def tell(self, *command, timeout=PATIENCE):
        """Runs a twinit command against this twinit: its exit status and all it said."""
        done = subprocess.run([str(binary()), *command], env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
        return done.returncode, done.stdout.decode(errors="replace")

    def inside(self, *command):
        """The same in the container's PID namespace, as `docker exec` does it."""
        done = subprocess.run(["nsenter", "--target", str(self.pid), "--pid", "--mount", str(binary()), *command],
                              env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout.decode(errors="replace")

    def status(self):
        """What `twinit status --json` says."""
        code, text = self.tell("status", "--json")
        assert code == 0, text
        return json.loads(text)

    def app(self):
        """The only app of status()."""
        return self.status()["apps"][0]

    def masters(self):
        """{(group, replica): master} of status()."""
        return {(m["group"], m["replica"]): m for m in self.app()["masters"]}

    def until(self, what, ready, timeout=PATIENCE):
        """Asks again and again until ready() is true, which it returns; each asking is a wait of its own."""
        deadline = time.monotonic() + timeout
        while not (result := ready()):
            if time.monotonic() > deadline:
                raise TookTooLong("%s did not happen; the log:\n%s" % (what, "\n".join(self.log.lines[-60:])))
        return result

    @property
    def address(self):
        """The first pool's."""
        return self.addresses[0]

    def begin(self, script="/", address=None, timeout=PATIENCE):
        """Begins a request; its worker is busy until end()."""
        return Request(address or self.address, script, timeout)

    def request(self, script="/", address=None):
        """One whole request: "RELEASE REPLICA PID", "" when it was cut."""
        with self.begin(script, address) as request:
            return request.end()

    def release(self):
        """The release that serves."""
        return self.request().split()[0]

    def started(self, pattern="", after=0, count=1):
        """Outside pid of a master whose start event matches."""
        return int(self.events.wait(r"^(\d+) %s.* start " % pattern, after, count)[1])

    def newest(self, pattern):
        """Outside pid of the last master whose start event matches."""
        return int(self.events.find(r"^(\d+) %s.* start " % pattern)[-1][1])

    def late_door(self):
        """A name (unix) for the lane that is active now, by which it can be reached after its cutover.

        For TCP such a late connection is a handshake that began before; here a hard link does it.
        """
        door = self.directory / ("late%d" % len(list(self.directory.glob("late*"))))
        os.link(self.address, door)
        return str(door)

    def occupy_lanes(self):
        """Rolls until each lane but the active one has a late request; the requests."""
        late = []
        for _ in range(LANES - 1):
            mark = self.events.mark()
            door = self.late_door()
            self.roll()
            late.append(self.begin(address=door))
            self.events.wait("www/1r . ready", mark)
        return late

    def roll(self):
        """`twinit restart`, which must work."""
        code, text = self.tell("restart")
        assert code == 0, text
        return text

    def stubs(self):
        """Pids of all stub processes of this container that live, as seen from here."""
        mark = ("STUB_DIR=%s" % self.directory).encode()
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if mark in Path("/proc", entry, "environ").read_bytes().split(b"\0"):
                    # A master runs a copy of it.
                    if os.readlink("/proc/%s/exe" % entry) in (str(stub()), "/memfd:php-fpm (deleted)"):
                        found.append(int(entry))
            except OSError:
                pass
        return found


