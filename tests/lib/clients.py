"""Clients that count: each request is one record, and whatever is not the whole right answer is a failure.

Crowd: threads of this process, with begin and end of every request by one clock.
Wrk: volume. Both are themselves tested in test_counters.py.
"""

import ctypes
import errno
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import namedtuple
from hashlib import md5
from pathlib import Path

from waiting import HOST, SECONDS, wait_until

LUA = Path(__file__).resolve().parent / "load.lua"
BODY = b"field=" + b"0123456789abcdef" * 64

# One count of a session, and who counted: release, host name, replica, pid of the master.
Visit = namedtuple("Visit", "count release host replica master")


class NotAccepted(Exception):
    """No connection came about, so nothing was promised."""


class Lost(Exception):
    """A connection was there and the whole right answer did not come."""


# What app/check.php answers.

def check_text(release, body=BODY, method="POST"):
    """The one right answer of that release."""
    return "%s %s %s nap whole %s end" % (" ".join([str(release)] * 4), method, md5(body).hexdigest(), "." * 3000)


def release_of_check(text, body=BODY):
    """Which release gave this answer of check.php; anything but a whole, unmixed answer is Lost."""
    release = text.partition(" ")[0]
    if not release.isdigit() or text != check_text(release, body):
        raise Lost("wrong answer: %.80r... (%d bytes)" % (text, len(text)))
    return int(release)


# One request.

def post(port, path, body=BODY, timeout=60):
    """The text of a POST over HTTP with a connection of its own."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        try:
            connection.connect()
        except OSError as error:
            raise NotAccepted(repr(error)) from None
        try:
            connection.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Lost(repr(error)) from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Lost("HTTP status %d: %.60r" % (answer.status, text))
    return text


class Visitor:
    """Somebody with a session: visit() is a GET with the cookie that the first answer gave."""

    def __init__(self, port, path="/visit.php"):
        self.port = port
        self.path = path
        self.cookie = None

    def ask(self, path, timeout=60):
        """(status, text) of a page."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Cookie": self.cookie} if self.cookie else {})
            answer = connection.getresponse()
            given = answer.headers["Set-Cookie"]
            self.cookie = given.partition(";")[0] if given else self.cookie
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def visit(self):
        """What app/visit.php says: a Visit."""
        status, text = self.ask(self.path)
        words = text.split()
        assert status == 200 and len(words) == 5 and words[0].isdigit(), "status %d: %.80r" % (status, text)
        return Visit(int(words[0]), words[1], *words[2:])


def fpm_connect(address, timeout=60):
    """A connection straight to FPM's address, (host, port) or a path."""
    client = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
    client.settimeout(timeout)
    try:
        client.connect(address)
    except OSError as error:
        client.close()
        raise NotAccepted(repr(error)) from None
    return client


def _pair(name, value):
    name, value = name.encode(), value.encode()
    return struct.pack(">II", len(name) | 1 << 31, len(value) | 1 << 31) + name + value


def _record(kind, content):
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content


def fpm_request(path, body=BODY, root="/srv/app/current/public"):
    """The bytes of a POST as nginx sends them to FPM."""
    script, _, query = path.partition("?")
    values = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": script, "DOCUMENT_URI": script, "REQUEST_URI": path,
              "SCRIPT_FILENAME": root + script, "DOCUMENT_ROOT": root, "QUERY_STRING": query,
              "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/x-www-form-urlencoded",
              "SERVER_PROTOCOL": "HTTP/1.1", "GATEWAY_INTERFACE": "CGI/1.1"}
    data = _record(1, struct.pack(">HB5x", 1, 0)) + _record(4, b"".join(_pair(*item) for item in values.items()))
    return data + _record(4, b"") + _record(5, body) + (_record(5, b"") if body else b"")


def fpm_answer(client):
    """Reads until the end of a request; returns the text. Anything else is Lost."""
    stream, output = client.makefile("rb"), b""
    with stream:
        while True:
            try:
                head = stream.read(8)
                kind, length, padding = struct.unpack(">xBxxHBx", head) if len(head) == 8 else (0, 0, 0)
                content = stream.read(length + padding)
            except OSError as error:
                raise Lost(repr(error)) from None
            if len(head) < 8 or len(content) < length + padding:
                raise Lost("cut off after %d bytes" % len(output))
            if kind == 6:
                output += content[:length]
            elif kind == 3:
                break
    headers, _, text = output.partition(b"\r\n\r\n")
    status = re.search(rb"^Status: (\d+)", headers, re.M | re.I)
    if status and status[1] != b"200":
        raise Lost("status %s" % status[1].decode())
    return text.decode(errors="replace")


def fpm_post(address, path, body=BODY, timeout=60, connect_timeout=None, root="/srv/app/current/public"):
    """The text of a POST straight to FPM."""
    with fpm_connect(address, connect_timeout or timeout) as client:
        client.settimeout(timeout)
        try:
            client.sendall(fpm_request(path, body, root))
        except OSError:
            pass  # what came of it the answer tells
        return fpm_answer(client)


# A handshake that stays half open for as long as we like.

class HalfOpen:
    """A TCP connection whose handshake the server has begun and cannot end before finish().

    A socket filter drops everything that comes to our side, so the SYN+ACK is never seen, and is sent
    again and again. Needs no privilege.
    """

    SO_ATTACH_FILTER, SO_DETACH_FILTER, TCP_SYN_SENT = 26, 27, 2

    def __init__(self, address):
        drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF_RET 0
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_ATTACH_FILTER,
                               struct.pack("HP", 1, ctypes.addressof(drop_all)))
        assert self.socket.connect_ex(address) == errno.EINPROGRESS

    def is_open(self):
        """True once the handshake is over on our side."""
        return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != self.TCP_SYN_SENT

    def finish(self):
        """Lets the handshake end; the next SYN or SYN+ACK is due within a second or a few."""
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_DETACH_FILTER, 0)

    def ask(self, path, timeout=60):
        """One request on this connection, whose handshake may still be under way."""
        wait_until("the handshake ends", SECONDS, self.is_open)
        # FPM's worker waits until its client closes as well.
        with self.socket:
            self.socket.settimeout(timeout)
            try:
                self.socket.sendall(fpm_request(path))
            except OSError as error:
                raise Lost(repr(error)) from None
            return fpm_answer(self.socket)

    def close(self):
        """Gives it up."""
        self.socket.close()


# Many requests.

Record = namedtuple("Record", "begin end answer failure accepted")


class Crowd:
    """Threads that each repeat ask() until stop(); `records` has every request.

    with Crowd(8, lambda: release_of_check(post(port, "/check.php"))) as crowd:
        crowd.wait_answers(100)
    assert not crowd.failures()
    """

    def __init__(self, count, *asks):
        """The asks are dealt out to `count` threads in turn."""
        self.records = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(asks[n % len(asks)],), daemon=True)
                         for n in range(count)]

    def _run(self, ask):
        while not self._stop.is_set():
            self.records.append(ask_once(ask))
            if not self.records[-1].accepted:
                self._stop.wait(0.01)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """No new requests; waits for those under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(90)
            assert not thread.is_alive(), "a request has no end"

    def wait_answers(self, count, seconds=SECONDS):
        """Waits until `count` more answers have come."""
        goal = sum(record.failure is None for record in self.records) + count
        wait_until("%d answers" % goal, seconds, lambda: sum(record.failure is None for record in list(self.records)),
                   lambda seen: seen >= goal)

    def wait_answer(self, answer, seconds=SECONDS):
        """Waits until somebody got that answer."""
        wait_until("the answer %r" % answer, seconds, lambda: {record.answer for record in list(self.records)},
                   lambda seen: answer in seen)

    def failures(self, begun_after=0):
        """What was accepted and not answered, begun after a moment."""
        return [record for record in self.records
                if record.failure and record.accepted and record.begin > begun_after]

    def refused(self):
        """What was not even accepted."""
        return [record for record in self.records if not record.accepted]

    def longest_ms(self):
        """The longest request."""
        return max(record.end - record.begin for record in self.records) / 1e6


def ask_once(ask):
    """One record."""
    begin = time.monotonic_ns()
    answer, failure, accepted = None, None, True
    try:
        answer = ask()
    except NotAccepted as error:
        failure, accepted = str(error), False
    except Exception as error:  # a client that breaks is a failed request as well
        failure = "%s: %s" % (type(error).__name__, error)
    return Record(begin, time.monotonic_ns(), answer, failure, accepted)


class Later:
    """One request in a thread of its own: begun now, looked at later."""

    def __init__(self, ask):
        self._record = None
        self._thread = threading.Thread(target=self._run, args=(ask,), daemon=True)
        self._thread.start()

    def _run(self, ask):
        self._record = ask_once(ask)

    def under_way(self):
        """Not answered yet."""
        return self._thread.is_alive()

    def record(self, timeout=60):
        """Its record, when it is over."""
        self._thread.join(timeout)
        assert self._record is not None, "a request has no end"
        return self._record


def answers_of_the_past(records):
    """What P2 forbids: records begun after an answer of a newer release was received, and served by an older one.

    The answers are numbers of releases, and each roll goes to a higher one.
    """
    answered = [record for record in records if record.failure is None]
    by_end = sorted(answered, key=lambda record: record.end)
    found, newest, ended = [], 0, 0
    for record in sorted(answered, key=lambda record: record.begin):
        while ended < len(by_end) and by_end[ended].end < record.begin:
            newest = max(newest, by_end[ended].answer)
            ended += 1
        if record.answer < newest:
            found.append(record)
    return found


# Volume.

Load = namedtuple("Load", "requests failed first_bad bad connect read write timeout longest_ms")


class Wrk:
    """wrk with load.lua: POSTs to check.php on 64 connections and judges every answer.

    `enter` goes before the command, for a network namespace of its own. With `pause_ms` between the requests of a
    connection the processor is left to others.
    """

    def __init__(self, port, connections=64, nap_ms=0, long_nap_ms=30, seconds=300, enter=(), pause_ms=0):
        self._argv = [*enter, "wrk", "--threads", "2", "--connections", str(connections), "--duration", "%ds" % seconds,
                      "--timeout", "30s", "--script", str(LUA), "http://%s:%d/" % (HOST, port), "--",
                      BODY.decode(), str(nap_ms), str(long_nap_ms), check_text(1), check_text(2), str(pause_ms)]
        self._popen = None

    def __enter__(self):
        self._popen = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
        return self

    def __exit__(self, *_):
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()
        self._popen.stdout.close()

    def stop(self):
        """Ends it; returns the Load."""
        assert self._popen.poll() is None, "wrk ended early:\n" + self._popen.stdout.read()
        os.kill(self._popen.pid, signal.SIGINT)
        output, _ = self._popen.communicate(timeout=60)
        line = re.search(r"^LOAD (\{.*\})$", output, re.M)
        assert line, "wrk said:\n" + output
        counts = json.loads(line[1])
        errors = ("bad", "connect", "read", "write", "timeout")
        return Load(failed=sum(counts[name] for name in errors), **counts)
