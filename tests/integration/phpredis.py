"""What a real phpredis does with a save path: where it connects, how it logs in, which database, which key.

look(handler, [save_path, ...]) asks it, in a network and mount namespace of its own, where every name in HOSTS leads to
an address of its own and every address answers, Redis being a Recorder. Run as a program, this file is the
part inside.
"""

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections import namedtuple
from pathlib import Path

import certificates

# Names and addresses on the loopback interface; there is no way to anywhere else, and no name server.
HOSTS = {"h": "127.0.1.1", "i": "127.0.1.2", "j": "127.0.1.3", "my_redis": "127.0.1.4", "redis": "127.0.1.5",
         "a.b-c.example": "127.0.1.6", "secret@h": "127.0.1.7", "pw": "127.0.1.8"}
OTHER_ADDRESSES = ["fd00::5/128",
                   "0.0.0.63/32", "0.0.24.235/32", "0.0.27.88/32"]  # hosts named "63", "6379" and "7000"
PORTS = [6379, 63, 80, 443, 1, 7000, 7001, 7002, 65535]
SOCKETS = ["/run/s", "/run/redis/redis.sock", "/run/under_score.sock", "/run/c:/s"]
# Session ids; the first four bytes choose among the stores.
IDS = ["aaaaphpredis0000000000", "bwx0phpredis0000000000", "c9b2phpredis0000000000", "Zz-,phpredis0000000000",
       "0001phpredis0000000000", "qmvdphpredis0000000000"]

# Where a session went: endpoint is "tcp 127.0.1.1:6379" or the like, login the words after AUTH (None: no AUTH),
# database what was selected (None: nothing), key the session's.
Use = namedtuple("Use", "endpoint login database key")

# One line of JSON in, one out: starts, fills and closes a session by each id.
DRIVER = r"""
ini_set('display_errors', '0');
ini_set('session.use_cookies', '0');
ini_set('session.use_only_cookies', '0');
ini_set('session.cache_limiter', '');
ini_set('session.save_handler', $argv[1]);
$said = [];
set_error_handler(function ($level, $text) use (&$said) { $said[] = $text; return true; });
while (($line = fgets(STDIN)) !== false) {
    $case = json_decode($line, true);
    $said = [];
    ini_set('session.save_path', base64_decode($case['path']));
    session_id($case['id']);
    try {
        if (session_start()) {
            $_SESSION['some'] = 'thing';
            session_write_close();
        }
    } catch (Throwable $error) {
        $said[] = $error->getMessage();
        session_abort();
    }
    fwrite(STDOUT, json_encode($said, JSON_INVALID_UTF8_SUBSTITUTE) . "\n"); // no output: that would send headers
}
"""


class Recorder:
    """Looks like an empty Redis, or cluster of one, on every address and socket, with and without TLS.

    `uses` has what was read and written, `asked` the endpoints, with login, that were asked for a cluster's slots.
    """

    def __init__(self, certificate):
        self.uses, self.asked = [], []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate.cert, certificate.key)

    def listen(self):
        """Begins to accept everywhere."""
        for port in PORTS:
            self._accept_on(socket.create_server(("", port)))
            self._accept_on(socket.create_server(("::", port), family=socket.AF_INET6))
        for path in SOCKETS:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            server = socket.socket(socket.AF_UNIX)
            server.bind(path)
            server.listen()
            self._accept_on(server)

    def _accept_on(self, server):
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def _accept(self, server):
        while True:
            client, _ = server.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, ValueError), client:
            address = client.getsockname()
            kind = "tcp"
            if isinstance(address, str):
                endpoint = "unix " + address
            else:
                if client.recv(1, socket.MSG_PEEK) == b"\x16":  # a TLS handshake
                    client, kind = self._tls.wrap_socket(client, server_side=True), "tls"
                endpoint = "%s %s:%d" % (kind, *address[:2])
            self._talk(client, endpoint)

    def _talk(self, client, endpoint):
        login, database = None, None
        with client, client.makefile("rb") as stream:
            while True:
                words = self._command(stream)
                name, rest = words[0].upper(), [word.decode("latin-1") for word in words[1:]]
                answer = b"+OK\r\n"
                if name == b"CLUSTER":
                    self.asked.append([endpoint, login])
                    answer = self._all_slots(client)
                elif name == b"AUTH":
                    login = rest
                elif name == b"SELECT":
                    database = int(rest[0])
                elif name in (b"GET", b"SETEX"):
                    self.uses.append([name.decode(), endpoint, login, database, rest[0]])
                    answer = b"$-1\r\n" if name == b"GET" else answer
                client.sendall(answer)

    @staticmethod
    def _all_slots(client):
        """A cluster of this one node."""
        host, port = client.getsockname()[:2]
        return b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$%d\r\n%s\r\n:%d\r\n" % (len(host), host.encode(), port)

    @staticmethod
    def _command(stream):
        """The words of the next command; ValueError at the end, or when it is none."""
        count = int(stream.readline()[1:])
        words = []
        for _ in range(count):
            length = int(stream.readline()[1:])
            words.append(stream.read(length + 2)[:-2])
        return words


# Inside the namespaces.

def prepare_network():
    """Names, and addresses for them."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in OTHER_ADDRESSES:
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"hosts": "".join("%s %s\n" % (address, name) for name, address in HOSTS.items()),
                           "nsswitch.conf": "hosts: files\n"}.items():
            file = Path(folder) / name
            file.write_text(text)
            file.chmod(0o644)
            subprocess.run(["mount", "-n", "--bind", file, Path("/etc") / name], check=True)
    subprocess.run(["mount", "-n", "-t", "tmpfs", "sockets", "/run"], check=True)


class Driver:
    """The PHP that is asked, one session after the other."""

    def __init__(self, handler, cafile):
        argv = ["php", "-d", "openssl.cafile=%s" % cafile, "-d", "default_socket_timeout=1", "-r", DRIVER,
                handler]
        self._popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def session(self, path, sid):
        """Reads and writes one session; returns what PHP complained of."""
        case = {"path": base64.b64encode(path.encode()).decode(), "id": sid}
        self._popen.stdin.write(json.dumps(case) + "\n")
        self._popen.stdin.flush()
        return json.loads(self._popen.stdout.readline())


def main():
    """Save paths as JSON on stdin, the handler as argument; for each one, on stdout, a list of Seen as dicts."""
    prepare_network()
    with tempfile.TemporaryDirectory() as folder:
        authority = certificates.Authority(folder)
        recorder = Recorder(authority.issue("server", names=HOSTS, addresses=HOSTS.values()))
        recorder.listen()
        driver = Driver(sys.argv[1], authority.cert)
        seen = []
        for path in json.load(sys.stdin):
            seen.append([])
            for sid in IDS:
                recorder.uses, recorder.asked = [], []
                said = driver.session(path, sid)
                seen[-1].append({"id": sid, "said": said, "uses": recorder.uses, "asked": recorder.asked})
    json.dump(seen, sys.stdout)


# Outside.

Seen = namedtuple("Seen", "id said uses asked")


def look(handler, paths):
    """For each save path a list of Seen, one for each of IDS; uses is a set of Use, asked one of (endpoint, login)."""
    command = ["unshare", "--net", "--mount", sys.executable, "-B", __file__, handler]
    done = subprocess.run(command, input=json.dumps(paths), stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    return [[Seen(one["id"], one["said"], uses_of(one["uses"]),
                  {(endpoint, login and tuple(login)) for endpoint, login in one["asked"]}) for one in ids]
            for ids in json.loads(done.stdout)]


def uses_of(records):
    """What was read and what was written must be the same; a set, empty when nothing was."""
    found = {command: {Use(endpoint, login and tuple(login), database, key)
                       for name, endpoint, login, database, key in records if name == command}
             for command in ("GET", "SETEX")}
    assert found["GET"] == found["SETEX"], records
    return found["GET"]


if __name__ == "__main__":
    main()
