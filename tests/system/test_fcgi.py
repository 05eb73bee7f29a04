"""`twinit fcgi` against peers that answer what they are told to: FastCGI to the byte, broken, or none."""

import contextlib
import os
import pty
import queue
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import container as machinery
from container import PATIENCE, record

HEAD = b"Content-Type: text/plain\r\n\r\n"
END = record(3, bytes(8))
MEMORY_KB = 64 * 1024  # far below what goes through


def page(body=b"", head=HEAD, tail=END):
    """A whole answer."""
    return record(6, head) + b"".join(record(6, body[at:at + 65535]) for at in range(0, len(body), 65535)) + tail


class Sent:
    """What a peer got: params, body and how the stdin records were cut."""

    def __init__(self):
        self.params, self.body, self.sizes = {}, b"", []
        self.flags = None

    def take(self, kind, content):
        """One record; True for the last."""
        if kind == 1:
            self.flags = struct.unpack(">HB5x", content)
        elif kind == 4:
            self._take_params(content)
        elif kind == 5:
            self.body += content
            self.sizes.append(len(content))
        return kind == 5 and not content

    def _take_params(self, data):
        while data:
            sizes = []
            for _ in range(2):
                width = 4 if data[0] & 128 else 1
                sizes.append(int.from_bytes(data[:width], "big") & 0x7fffffff)
                data = data[width:]
            name, value = data[:sizes[0]].decode(), data[sizes[0]:sum(sizes)].decode()
            assert name not in self.params, "%s is there twice" % name
            self.params[name], data = value, data[sum(sizes):]


def read_request(stream):
    """A whole request."""
    sent = Sent()
    while True:
        head = stream.read(8)
        assert len(head) == 8, "the request ends with %r" % head
        version, kind, number, size, padding = struct.unpack(">BBHHBx", head)
        assert (version, number) == (1, 1)
        if sent.take(kind, stream.read(size + padding)[:size]):
            return sent


def read_all(connection):
    """Never answers."""
    while connection.recv(1 << 16):
        pass


class Peer:
    """Listens, and treats each connection as handle(connection) says, in a thread."""

    def __init__(self, handle, address=("127.0.0.1", 0)):
        tcp = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else tcp)
        self.socket.bind(address)
        self.socket.listen(8)
        self.handle, self.sent, self.errors = handle, queue.Queue(), []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def where(self):
        """ADDRESS for twinit fcgi."""
        name = self.socket.getsockname()
        return name if isinstance(name, str) else "127.0.0.1:%d" % name[1]

    @property
    def port(self):
        """Of TCP."""
        return self.socket.getsockname()[1]

    def got(self):
        """The next request, as far as it was read."""
        return self.sent.get(timeout=PATIENCE)

    def _run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                try:
                    self.sent.put(self.handle(connection))
                except AssertionError as error:
                    self.errors.append(error)

    def close(self):
        """No more; a peer that was not asked properly fails the test."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self.socket.close()
        assert not self._thread.is_alive(), "a connection has no end"
        assert not self.errors, self.errors


@pytest.fixture
def peer():
    """peer(answer or handle, address) is a Peer for this test: bytes are the answer to a whole request."""
    peers = []

    def make(handle, *address):
        def answer(connection):
            with connection.makefile("rb") as stream:
                sent = read_request(stream)
                connection.sendall(handle)
                return sent
        peers.append(Peer(answer if isinstance(handle, bytes) else handle, *address))
        return peers[-1]

    yield make
    for one in peers:
        one.close()


@pytest.fixture(scope="module")
def twinit():
    """The program."""
    return str(machinery.binary())


@pytest.fixture
def fcgi(twinit):
    """fcgi(WORDS..., stdin=...) is what `twinit fcgi WORDS...` did, as bytes."""
    def run(*words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options):
        given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        return subprocess.run([twinit, "fcgi", *map(str, words)], stdout=stdout, stderr=subprocess.PIPE,
                              timeout=4 * PATIENCE, **given, **options)
    return run


def said(done):
    """Its stderr, and that it says something that ends."""
    assert done.stderr.endswith(b"\n"), done.stderr
    return done.stderr.decode(errors="replace")


# The request.

def test_a_request_is_what_a_web_server_would_send(peer, fcgi):
    one = peer(page(b"hello"))
    done = fcgi(one.where, "/srv/app/index.php?a=1&b=?")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")
    sent = one.got()
    assert sent.flags == (1, 0), "a responder, and the connection ends"
    assert sent.body == b"" and sent.sizes == [0]
    wanted = {"SCRIPT_FILENAME": "/srv/app/index.php", "SCRIPT_NAME": "/srv/app/index.php", "QUERY_STRING": "a=1&b=?",
              "REQUEST_URI": "/srv/app/index.php?a=1&b=?", "REQUEST_METHOD": "GET", "GATEWAY_INTERFACE": "CGI/1.1",
              "SERVER_PROTOCOL": "HTTP/1.1"}
    assert wanted.items() <= sent.params.items()
    assert "CONTENT_LENGTH" not in sent.params


def test_parameters_are_set_and_replaced_and_the_last_one_counts(peer, fcgi):
    one = peer(page())
    long = "x" * 40000
    done = fcgi(one.where, "/a", "REQUEST_METHOD=DELETE", "HTTP_X=1=2", "EMPTY=", "HTTP_X=3=ä", "LONG=" + long)
    assert done.returncode == 0, done.stderr
    wanted = {"REQUEST_METHOD": "DELETE", "HTTP_X": "3=ä", "EMPTY": "", "LONG": long}
    assert wanted.items() <= one.got().params.items()


def test_more_parameters_than_php_takes_are_refused(peer, fcgi):
    one = peer(lambda connection: None)
    done = fcgi(one.where, "/a", "A=" + "x" * 40000, "B=" + "x" * 40000)
    assert done.returncode == 64 and "64 KB" in said(done)


BODIES = {"a byte": b"\0", "a piece": os.urandom(65535), "more than memory takes": os.urandom(3 * 1024 * 1024)}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_a_body_arrives_whole(peer, fcgi, tmp_path, body, way):
    one = peer(page(b"thanks"))
    if way == "file":
        (tmp_path / "body").write_bytes(b"skipped" + body)
        with open(tmp_path / "body", "rb") as file:
            file.seek(len(b"skipped"))
            os.lseek(file.fileno(), len(b"skipped"), os.SEEK_SET)
            done = fcgi(one.where, "/a", stdin=file)
    else:
        done = fcgi(one.where, "/a", stdin=body, env={"TMPDIR": str(tmp_path)})
        assert list(tmp_path.iterdir()) == [], "what was kept is gone"
    assert (done.returncode, done.stdout) == (0, b"thanks"), done.stderr
    sent = one.got()
    assert sent.body == body
    assert sent.params["REQUEST_METHOD"] == "POST" and sent.params["CONTENT_LENGTH"] == str(len(body))
    assert sent.params["CONTENT_TYPE"] == "application/x-www-form-urlencoded"


def test_a_body_with_a_size_of_ones_own_is_not_kept(peer, fcgi):
    one = peer(page())
    done = fcgi(one.where, "/a", "CONTENT_LENGTH=7", "REQUEST_METHOD=PUT", stdin=b"x" * 300000,
                env={"TMPDIR": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    sent = one.got()
    assert sent.body == b"x" * 300000
    assert sent.params["CONTENT_LENGTH"] == "7" and sent.params["REQUEST_METHOD"] == "PUT"


def test_a_body_that_can_be_kept_nowhere(peer, fcgi):
    one = peer(lambda connection: None)
    done = fcgi(one.where, "/a", stdin=b"x" * 300000, env={"TMPDIR": "/nonexistent"})
    assert done.returncode == 26
    assert "/nonexistent: No such file or directory" in said(done) and "TMPDIR" in said(done)


def test_a_terminal_is_no_body(peer, fcgi):
    one = peer(page())
    ours, theirs = pty.openpty()
    try:
        assert fcgi(one.where, "/a", stdin=theirs).returncode == 0
    finally:
        os.close(ours)
        os.close(theirs)
    assert one.got().params["REQUEST_METHOD"] == "GET"


@pytest.mark.parametrize("way", ["pipe", "file", "closed"])
def test_an_empty_stdin_is_no_body(peer, fcgi, twinit, tmp_path, way):
    one = peer(page(b"x"))
    if way == "closed":
        done = subprocess.run(["sh", "-c", 'exec "$0" fcgi "$1" /a <&-', twinit, one.where], capture_output=True,
                              timeout=PATIENCE)
    elif way == "file":
        (tmp_path / "empty").touch()
        with open(tmp_path / "empty", "rb") as file:
            done = fcgi(one.where, "/a", stdin=file)
    else:
        done = fcgi(one.where, "/a", stdin=b"")
    assert (done.returncode, done.stdout) == (0, b"x"), done.stderr
    sent = one.got()
    assert sent.params["REQUEST_METHOD"] == "GET" and sent.body == b""


def test_a_stdin_that_does_not_end_is_not_waited_for(peer, fcgi):
    one = peer(lambda connection: None)
    reader, writer = os.pipe()
    try:
        done = fcgi("--timeout", "0.2", one.where, "/a", stdin=reader)
    finally:
        os.close(reader)
        os.close(writer)
    assert done.returncode == 28 and "</dev/null" in said(done)


def test_a_stdin_that_cannot_be_read(peer, fcgi, tmp_path):
    one = peer(lambda connection: None)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        done = fcgi(one.where, "/a", stdin=folder)
    finally:
        os.close(folder)
    assert done.returncode == 26 and "Is a directory" in said(done)


# The answer.

def test_an_answer_of_any_bytes_in_any_pieces_is_shown_as_it_is(peer, fcgi):
    body, err = os.urandom(1024 * 1024), os.urandom(3000) + b"\n"
    records, at = [record(7, err[:1000])], 0
    for size in [1, 2, 7, 8, 9, 255, 256, 65535, *[4093] * 300]:
        content, padding = (HEAD + body)[at:at + size], size % 8
        records.append(struct.pack(">BBHHBB", 1, 6, 1, len(content), padding, 9) + content + b"p" * padding)
        at += size
    answer = b"".join(records) + record(7, err[1000:]) + record(6) + record(7) + END
    assert at > len(HEAD + body)

    def dribble(connection):
        with connection.makefile("rb") as stream:
            read_request(stream)
        for start in range(0, 500):
            connection.sendall(answer[start:start + 1])
        connection.sendall(answer[500:])

    done = fcgi(peer(dribble).where, "/a")
    assert done.returncode == 0
    assert done.stdout == body and done.stderr == err


def test_headers_are_shown_when_asked_for(peer, fcgi):
    head = b"Status: 201 Created\r\nX-A: 1\r\n\r\n"
    one = peer(page(b"body", head))
    assert fcgi("-i", one.where, "/a").stdout == head + b"body"
    assert fcgi(one.where, "/a").stdout == b"body"


def test_how_long_it_took_is_said_when_asked_for(peer, fcgi):
    done = fcgi("-w", peer(page(b"body")).where, "/a")
    times = re.fullmatch(r"connect ([\d.]+) ms, first byte ([\d.]+) ms, total ([\d.]+) ms\n", said(done))
    assert times, done.stderr
    connect, first, total = map(float, times.groups())
    assert 0 <= connect <= first <= total < PATIENCE * 1000
    late = fcgi("-w", "--timeout", "0.3", peer(read_all).where, "/a")
    never = re.search(r"^connect [\d.]+ ms, first byte never, total ([\d.]+) ms$", said(late), re.M)
    assert late.returncode == 28 and never and float(never[1]) >= 200, late.stderr  # of 300, some were for the body


@pytest.mark.parametrize("status, exit_status", [
    ("100 x", 0), ("200 OK", 0), ("204", 0), ("302 Found", 0), ("399 x", 0),
    ("400 Bad Request", 22), ("404 Not Found", 22), ("500 x", 22), ("999 x", 22), ("abc", 22), ("99", 22),
    ("1000", 22)])
def test_the_exit_status_is_that_of_http(peer, fcgi, status, exit_status):
    done = fcgi(peer(page(b"body", b"Status: %s\r\n\r\n" % status.encode())).where, "/a")
    assert (done.returncode, done.stdout) == (exit_status, b"body")
    assert (status.split()[0] in said(done) or "that is none" in said(done)) if exit_status else done.stderr == b""


def test_what_php_says_of_a_missing_script_is_explained(peer, fcgi):
    answer = record(7, b"Primary script unknown") + record(6, b"Status: 404 Not Found\r\n\r\nFile not found.\n") + END
    done = fcgi(peer(answer).where, "/a")
    assert done.returncode == 22
    assert said(done).splitlines()[0] == "Primary script unknown"
    assert "as PHP-FPM sees it" in said(done).splitlines()[1]


def test_an_answer_that_is_cut_anywhere_is_noticed(peer, fcgi):
    whole = record(7, b"err\n") + page(b"body")
    one = peer(b"")
    for size in range(len(whole)):
        def cut(connection, size=size):
            with connection.makefile("rb") as stream:
                read_request(stream)
            connection.sendall(whole[:size])
        one.handle = cut
        done = fcgi(one.where, "/a")
        assert done.returncode == (18 if size else 52), "cut after %d of %d bytes: %r" % (size, len(whole), done)
        assert "body".startswith(done.stdout.decode())
        assert "%d bytes" % size in said(done) if size else "no answer from" in said(done)


def test_a_connection_that_is_broken_is_noticed(peer, fcgi):
    def reset(connection):
        with connection.makefile("rb") as stream:
            read_request(stream)
        connection.sendall(page(b"body")[:-3])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    done = fcgi(peer(reset).where, "/a")
    assert done.returncode == 18, done
    assert "cut off" in said(done)


@pytest.mark.parametrize("answer, begin", [
    (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "'HTTP/1.1 400 Bad Request"),
    (b"-ERR unknown command\r\n", "'-ERR"),
    (b"SSH-2.0-x\r\n", "'SSH-2.0"), (b"\x15\x03\x03\0\2\2\x46", r"'\x15\x03\x03'"),
    (b"\1\1\0\1\0\0\0\0", r"'\x01\x01'"), (b"\1\6\0\2\0\0\0\0", r"'\x01\x06'"), (b"\x9f" + bytes(100), "'")])
def test_who_does_not_speak_fastcgi_is_told(peer, fcgi, answer, begin):
    done = fcgi(peer(lambda connection: connection.recv(1 << 16) and connection.sendall(answer)).where, "/a")
    assert done.returncode == 8, done
    assert "does not speak FastCGI, its answer begins " + begin in said(done)
    assert ("web server" in said(done)) == answer.startswith(b"HTTP")
    assert done.stdout == b""


@pytest.mark.parametrize("leaves", [True, False])
def test_even_less_than_a_record_shows_who_does_not_speak_fastcgi(peer, fcgi, leaves):
    def mutter(connection):
        connection.recv(1 << 16)
        connection.sendall(b"bye")
        if not leaves:
            read_all(connection)

    done = fcgi("--timeout", "0.3", peer(mutter).where, "/a")
    assert done.returncode == 8 and "does not speak FastCGI, its answer begins 'bye'" in said(done), done


def test_an_answer_that_stops_being_one_is_noticed(peer, fcgi):
    done = fcgi(peer(page(b"good", tail=b"garbage after it")).where, "/a")
    assert (done.returncode, done.stdout) == (8, b"good")
    assert "no FastCGI any more" in said(done)
    done = fcgi(peer(page(b"good") + b"more").where, "/a")
    assert (done.returncode, done.stdout) == (8, b"good")
    assert "behind the end" in said(done)


@pytest.mark.parametrize("answer, sentence", [
    (END, "no end of the headers"), (record(6, b"no headers at all") + END, "no end of the headers"),
    (record(6, b"X: " + b"x" * 40000) * 2, "do not end in 64 KB"),
    (record(3, b"\0\0\0\0\1\0\0\0"), "one request a connection"), (record(3, b"\0\0\0\0\2\0\0\0"), "overloaded"),
    (record(3, b"\0\0\0\0\3\0\0\0"), "no responder"), (record(3, b"\0\0\0\0\x09\0\0\0"), "no reason")])
def test_answers_that_are_none(peer, fcgi, answer, sentence):
    done = fcgi(peer(answer).where, "/a")
    assert done.returncode == 8, done
    assert sentence in said(done)


def test_the_time_is_for_all_of_it(peer, fcgi):
    def dribble(connection):
        with contextlib.suppress(OSError):
            connection.sendall(record(6, HEAD))
            while True:
                connection.sendall(record(6, b"."))
                time.sleep(0.02)

    begin = time.monotonic()
    done = fcgi("--timeout", "500ms", peer(dribble).where, "/a")
    assert done.returncode == 28 and "did not end in time" in said(done)
    assert set(done.stdout) == set(b".") and time.monotonic() - begin >= 0.5


def test_a_full_queue_is_not_waited_for_longer(fcgi, tmp_path):
    path, waiting = str(tmp_path / "s"), []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].setblocking(False)
                waiting[-1].connect(path)
        done = fcgi("--timeout", "0.2", path, "/a")
        assert done.returncode == 28 and "all workers are busy" in said(done)
        for one in waiting:
            one.close()


# Sizes.

def peak_kb(popen):
    """The most memory that it had so far."""
    with open("/proc/%d/status" % popen.pid, encoding="ascii") as status:
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status.read(), re.M)[1])


def test_a_huge_answer_goes_through_little_memory(peer, twinit):
    piece, count = record(6, b"0123456789abcde" * 4369), 2000

    def pour(connection):
        with connection.makefile("rb") as stream:
            read_request(stream)
        connection.sendall(record(6, HEAD))
        for _ in range(count):
            connection.sendall(piece)
        connection.sendall(END)

    with subprocess.Popen([twinit, "fcgi", peer(pour).where, "/a"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as popen:
        got = len(popen.stdout.read((count - 10) * 65535))
        assert peak_kb(popen) < MEMORY_KB
        got += len(popen.stdout.read())
        assert (popen.wait(PATIENCE), got) == (0, count * 65535)


@pytest.mark.parametrize("way", ["file", "pipe"])
def test_a_huge_body_goes_through_little_memory(peer, twinit, tmp_path, way):
    size, asked = 100 * 1024 * 1024, queue.Queue()

    def swallow(connection):
        total, kind, content = 0, 0, 1
        with connection.makefile("rb") as stream:
            while (kind, content) != (5, 0):
                _, kind, _, content, _, _ = struct.unpack(">BBHHBB", stream.read(8))
                total += len(stream.read(content)) * (kind == 5)
        peak = peak_kb(asked.get(timeout=PATIENCE))
        connection.sendall(page())
        return total, peak

    with open(tmp_path / "body", "wb") as file:
        file.truncate(size)
    one = peer(swallow)
    with contextlib.ExitStack() as stack:
        body = stack.enter_context(open(tmp_path / "body", "rb"))
        if way == "pipe":
            body = stack.enter_context(subprocess.Popen(["cat"], stdin=body, stdout=subprocess.PIPE)).stdout
        popen = stack.enter_context(subprocess.Popen([twinit, "fcgi", one.where, "/a"], stdin=body,
                                                     env={"TMPDIR": str(tmp_path)}))
        asked.put(popen)
        assert popen.wait(4 * PATIENCE) == 0
    total, peak = one.got()
    assert total == size and peak < MEMORY_KB


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_an_answer_that_comes_before_the_body_was_read_is_shown(peer, fcgi, tmp_path, unix):
    def answer(connection):
        connection.recv(1000)
        connection.sendall(page(b"too large", b"Status: 413 x\r\n\r\n"))

    with open(tmp_path / "body", "wb") as file:
        file.truncate(50 * 1024 * 1024)
    one = peer(answer, *([str(tmp_path / "s")] if unix else []))
    with open(tmp_path / "body", "rb") as file:
        done = fcgi(one.where, "/a", stdin=file)
    assert (done.returncode, done.stdout) == (22, b"too large"), done.stderr


# Where it goes.

def test_a_reader_that_leaves_ends_it_without_a_word(peer, twinit):
    def pour(connection):
        with contextlib.suppress(OSError):
            connection.sendall(record(6, HEAD))
            while True:
                connection.sendall(record(6, b"x" * 60000))

    one = peer(pour)
    done = subprocess.run(["bash", "-c", '"$0" fcgi "$1" /a </dev/null | head -c 10; exit ${PIPESTATUS[0]}', twinit,
                           one.where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (23, b"x" * 10, b"")


@pytest.mark.parametrize("redirect, words", [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")])
def test_an_answer_that_cannot_be_written(peer, twinit, redirect, words):
    done = subprocess.run(["sh", "-c", 'exec "$0" fcgi "$1" /a </dev/null ' + redirect, twinit,
                           peer(page(b"x")).where], stderr=subprocess.PIPE, timeout=PATIENCE)
    assert done.returncode == 23 and words in said(done)


def test_a_stdout_that_does_not_block_gets_everything(peer, twinit):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    body = os.urandom(1 << 20)
    with subprocess.Popen([twinit, "fcgi", peer(page(body)).where, "/a"], stdin=subprocess.DEVNULL,
                          stdout=writer) as popen:
        os.close(writer)
        with open(reader, "rb") as pipe:
            assert pipe.read() == body
        assert popen.wait(PATIENCE) == 0


def test_every_form_of_an_address(peer, fcgi, tmp_path):
    four, six, path = peer(page(b"4")), peer(page(b"6"), ("::1", 0)), peer(page(b"u"), str(tmp_path / "s"))
    for address, answer in [("127.0.0.1:%d" % four.port, b"4"), ("localhost:%d" % four.port, b"4"), (four.port, b"4"),
                            ("*:%d" % four.port, b"4"), (":%d" % four.port, b"4"), ("0.0.0.0:%d" % four.port, b"4"),
                            ("[::1]:%d" % six.port, b"6"), (six.port, b"6"), (path.where, b"u"),
                            ("unix:" + path.where, b"u"), ("./s", b"u"), ("unix:s", b"u")]:
        done = fcgi(address, "/a", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, answer), (address, done.stderr)


def test_who_cannot_be_reached_is_told_with_the_cause(fcgi, tmp_path, twinit):
    left, no_socket, closed = str(tmp_path / "left"), tmp_path / "file", str(tmp_path / "closed")
    for path in (left, closed):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
    no_socket.touch()
    for address, status, words in [
            ("127.0.0.1:%d" % machinery.free_port(), 7, "nobody listens there"),
            (machinery.free_port(), 7, "nobody listens there"),
            (left, 7, "nobody listens there"), (no_socket, 7, "nobody listens there"),
            (tmp_path / "none", 7, "nothing has this name"), ("no-such-host.invalid:9000", 6, "no address for")]:
        done = fcgi("--timeout", 5, address, "/a")
        assert done.returncode == status and words in said(done) and str(address) in said(done), done
    os.chmod(closed, 0o600)
    os.chmod(tmp_path, 0o755)
    done = fcgi("/proc/self/cwd/closed", "/a", cwd=tmp_path, user=65534)
    assert done.returncode == 7 and "listen.owner" in said(done), done


@pytest.mark.parametrize("words, problem", [
    ([], "ADDRESS and SCRIPT are missing"), (["9000"], "SCRIPT is missing"),
    (["--replica", "www/1"], "SCRIPT is missing"), (["9000", "relative.php"], "absolute path"),
    (["9000", "/a", "b"], "no KEY=VALUE: 'b'"), (["9000", "/a", "=b"], "no KEY=VALUE"),
    (["0", "/a"], "1 to 65535"), (["65536", "/a"], "1 to 65535"), (["x", "/a"], "1 to 65535"),
    (["x:", "/a"], "1 to 65535"), (["x:9000000000", "/a"], "1 to 65535"),
    (["::1:9000", "/a"], "[::1]:9000, not '::1:9000'"), (["unix:", "/a"], "path of the socket"),
    (["/" + "x" * 200, "/a"], "107 bytes"), (["x" * 300 + ":9000", "/a"], "255 bytes"),
    (["-x", "9000", "/a"], "unknown option '-x'"), (["--timeout"], "a value is missing"),
    (["--replica"], "a value is missing"), (["--replica", "www", "/a"], "wants APP/N"),
    (["--replica", "www/0", "/a"], "wants APP/N"), (["--replica", "/1", "/a"], "wants APP/N"),
    *[(["--timeout", value, "9000", "/a"], "--timeout wants")
      for value in ("", "0", "-1", "x", "1x", "nan", "inf", "1e9", "0x9", "90000", "1.2.3", ".")],
    (["9000", "/" + "x" * 5000], "too long")])
def test_what_makes_no_request_is_a_usage_error(fcgi, words, problem):
    done = fcgi(*words)
    assert done.returncode == 64, done
    assert problem in said(done), done.stderr


def test_it_explains_itself(twinit):
    help_text = subprocess.run([twinit, "help", "fcgi"], capture_output=True, text=True, timeout=PATIENCE)
    assert help_text.returncode == 0
    for word in ("--replica APP/N", "--timeout S", "-i ", "-w ", "KEY=VALUE", "Exit status"):
        assert word in help_text.stdout
    assert max(map(len, help_text.stdout.splitlines())) <= 80


# One replica of a running twinit; tests/integration/test_fcgi_fpm.py has more, with PHP.

def test_a_replica_is_asked_over_its_private_socket(boot):
    c = boot()
    for number in (1, 2):
        assert c.tell("fcgi", "--replica", "www/%d" % number, "/twinit-ping") == (0, "pong")


def test_a_replica_that_waits_after_a_crash_is_named_with_its_state(boot):
    c = boot()
    c.behave("r1:die")
    os.kill(c.newest("www/1"), signal.SIGKILL)
    c.log.wait(r"www: replica 1: .*; starting it again in \d\.\d s")
    code, text = c.tell("fcgi", "--replica", "www/1", "/twinit-ping")
    assert code == 7 and "replica www/1 does not run (it is in state backoff)" in text, text
    assert c.tell("fcgi", "--replica", "www/2", "/twinit-ping") == (0, "pong")


def test_a_replica_that_hangs_is_not_waited_for_longer(boot):
    c = boot()
    os.kill(c.newest("www/1"), signal.SIGSTOP)
    code, text = c.tell("fcgi", "--timeout", "0.3", "--replica", "www/1", "/twinit-ping")
    assert code == 28 and "no answer from www/1 in time" in text, text
    os.kill(c.newest("www/1"), signal.SIGCONT)
    assert c.tell("fcgi", "--replica", "www/1", "/twinit-ping") == (0, "pong")
