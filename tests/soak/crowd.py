"""The soak's visitors, in a process of their own: `crowd.py SITE_PORT FPM SEED` until its stdin ends.

Each request is one line of JSON on stdout: [kind, id, begin, end, outcome, release, detail], with times in ns of the
monotonic clock. Outcomes: ok; store (PHP itself said that the session store does not answer); session (the session
is another one than it should be); left (the client went as it meant to); wrong; lost.
"""

import http.client
import json
import random
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from clients import (  # noqa: E402 (found by the line above)
    Lost, NotAccepted, check_text, fpm_answer, fpm_connect, fpm_request)
from waiting import HOST  # noqa: E402

PAGE = "/soak.php"
STORE_AWAY = "the session store does not answer"
BIG = "0123456789abcdef" * 16384
PATIENCE = 90
STOPPED = threading.Event()


class StoreAway(Exception):
    """PHP answered, and that was its answer."""


class Wrong(Exception):
    """A whole answer came, and it is not the right one."""


class WrongSession(Exception):
    """PHP answered with somebody's counter, and it is not the right one."""


class Left(Exception):
    """The client went away as it meant to."""


def release_of(text, method, body):
    """Which release gave this answer of check.php."""
    release = text.partition(" ")[0]
    # A worker that is killed between head and body: for nginx the answer ends there.
    if not text:
        raise Lost("an answer without a body")
    if not release.isdigit() or text != check_text(release, body, method):
        raise Wrong("%.120r (%d bytes)" % (text, len(text)))
    return int(release)


def release_of_big(text):
    """The same of the big answer of a megabyte."""
    release = text.partition(" ")[0]
    if not release.isdigit() or text != "%s %s %s end" % (release, BIG, release):
        raise Wrong("%.40r ... %.40r (%d bytes)" % (text, text[-40:], len(text)))
    return int(release)


class Client:
    """One visitor: request() makes one request and returns the release that answered."""

    pause = 0.1

    def __init__(self, number, chance, site_port, address):
        self.name = type(self).__name__.lower()
        self.chance, self.site_port, self.address = chance, site_port, address
        self.prefix = "%s%d" % (self.name, number)
        self.count = 0
        self.id = None

    def path(self, **query):
        """The page with the id of this request."""
        return PAGE + "?" + "&".join("%s=%s" % item for item in {"id": self.id, **query}.items())

    def body(self):
        """Something that nobody else sends."""
        return (b"%s=" % self.id.encode()) * self.chance.choice([1, 30, 3000])

    def stay(self):
        """How long PHP takes."""
        return self.chance.choice([0, 0, 0, 2, 10, 40])

    def request(self):
        raise NotImplementedError

    def next(self):
        """One request, as a record."""
        self.count += 1
        self.id = "%s.%d" % (self.prefix, self.count)
        begin = time.monotonic_ns()
        outcome, release, detail = "ok", None, None
        try:
            release = self.request()
        except StoreAway as error:
            outcome, detail = "store", str(error)
        except WrongSession as error:
            outcome, detail = "session", str(error)
        except Wrong as error:
            outcome, detail = "wrong", str(error)
        except Left:
            outcome = "left"
        except Exception as error:  # a client that breaks is a lost request as well
            outcome, detail = "lost", "%s: %s" % (type(error).__name__, error)
        return [self.name, self.id, begin, time.monotonic_ns(), outcome, release, detail]

    # HTTP.

    def connect(self):
        """A connection to nginx."""
        connection = http.client.HTTPConnection(HOST, self.site_port, timeout=PATIENCE)
        try:
            connection.connect()
        except OSError as error:
            raise NotAccepted(repr(error)) from None
        return connection

    @staticmethod
    def text_of(connection):
        """The answer, which has to be a good one."""
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status == 503 and text == STORE_AWAY:
            raise StoreAway(text)
        if answer.status != 200:
            raise Lost("HTTP status %d: %.60r" % (answer.status, text))
        return text

    def ask(self, method, path, body=b"", headers=None, connection=None):
        """One request with a connection of its own, or with that one."""
        own = connection or self.connect()
        try:
            own.request(method, path, body or None, {"Content-Type": "application/x-www-form-urlencoded",
                                                     **(headers or {})})
            return self.text_of(own)
        finally:
            if connection is None:
                own.close()

    def raw(self, *pieces, pause=(0.0, 0.0)):
        """One request whose bytes come in pieces."""
        with socket.create_connection((HOST, self.site_port), PATIENCE) as client:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(self.chance.uniform(*pause))
            answer = http.client.HTTPResponse(client)
            answer.begin()
            text = answer.read().decode(errors="replace")
            if answer.status != 200:
                raise Lost("HTTP status %d: %.60r" % (answer.status, text))
            return text


class Get(Client):
    """The plain visitor."""

    def request(self):
        return release_of(self.ask("GET", self.path(stay=self.stay())), "GET", b"")


class Post(Client):
    """Sends something, and the answer proves that all of it came."""

    def request(self):
        body = self.body()
        return release_of(self.ask("POST", self.path(stay=self.stay()), body), "POST", body)


class Kept(Client):
    """Many requests on one connection with nginx."""

    def __init__(self, *args):
        super().__init__(*args)
        self.connection = None

    def request(self):
        if self.connection is None or self.count % 50 == 0:
            self.connection = self.connect()
        try:
            if self.count % 2:
                return release_of(self.ask("GET", self.path(), connection=self.connection), "GET", b"")
            body = self.body()
            return release_of(self.ask("POST", self.path(), body, connection=self.connection), "POST", body)
        except Exception:
            self.connection.close()
            self.connection = None
            raise


class Straight(Client):
    """Speaks FastCGI, as another web server would."""

    def exchange(self, pieces, pause=(0.0, 0.0), after=lambda client: None):
        """Sends the pieces, returns the text."""
        with fpm_connect(self.address, PATIENCE) as client:
            try:
                for piece in pieces:
                    client.sendall(piece)
                    time.sleep(self.chance.uniform(*pause))
                after(client)
            except OSError:
                pass  # what came of it the answer tells
            return fpm_answer(client)

    def request(self):
        body = self.body()
        return release_of(self.exchange([fpm_request(self.path(stay=self.stay()), body)]), "POST", body)


class HalfClosed(Straight):
    """The same, and says at once that it has no more to say."""

    def request(self):
        body = self.body()
        text = self.exchange([fpm_request(self.path(stay=self.stay()), body)],
                             after=lambda client: client.shutdown(socket.SHUT_WR))
        return release_of(text, "POST", body)


class SlowStraight(Straight):
    """The bytes of its request come in pieces."""

    pause = 1.0

    def request(self):
        body = self.body()
        data = fpm_request(self.path(), body)
        step = max(1, len(data) // self.chance.randint(2, 6))
        pieces = [data[at:at + step] for at in range(0, len(data), step)]
        return release_of(self.exchange(pieces, (0.0, 0.25)), "POST", body)


class SlowReader(Straight):
    """Takes a quarter of a megabyte in small sips."""

    pause = 1.0

    def request(self):
        def sip(client):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            time.sleep(self.chance.uniform(0.1, 0.8))
        return release_of_big(self.exchange([fpm_request(self.path(do="big"), b"x")], after=sip))


class SlowHeaders(Client):
    """Slowloris with a happy end."""

    pause = 0.5

    def request(self):
        lines = ["GET %s HTTP/1.1" % self.path(), "Host: soak", "X-Slow: yes", "Connection: close", "", ""]
        text = "\r\n".join(lines).encode()
        return release_of(self.raw(*(text[at:at + 20] for at in range(0, len(text), 20)), pause=(0.0, 0.3)),
                          "GET", b"")


class SlowBody(Client):
    """Its body comes in pieces."""

    pause = 0.5

    def request(self):
        body = self.body()
        head = ("POST %s HTTP/1.1\r\nHost: soak\r\nConnection: close\r\nContent-Length: %d\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n\r\n" % (self.path(), len(body))).encode()
        step = max(1, len(body) // 5)
        pieces = [body[at:at + step] for at in range(0, len(body), step)]
        return release_of(self.raw(head, *pieces, pause=(0.0, 0.4)), "POST", body)


class Big(Client):
    """A quarter of a megabyte through nginx, read slowly."""

    pause = 1.0

    def request(self):
        connection = self.connect()
        try:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            connection.request("GET", self.path(do="big"))
            time.sleep(self.chance.uniform(0.1, 1.0))
            return release_of_big(self.text_of(connection))
        finally:
            connection.close()


class Noise(Client):
    """Makes PHP write 16 KB to the log."""

    pause = 0.5

    def request(self):
        return release_of(self.ask("GET", self.path(do="noise")), "GET", b"")


class Leaver(Straight):
    """Asks, and goes before the answer."""

    pause = 0.5

    def request(self):
        with fpm_connect(self.address, PATIENCE) as client:
            client.sendall(fpm_request(self.path(stay=self.stay()), self.body()))
            time.sleep(self.chance.uniform(0.0, 0.02))
        raise Left


class Visit(Client):
    """A visitor with a session of his own, whose counter never goes back and never counts twice."""

    def __init__(self, *args):
        super().__init__(*args)
        self.cookie = None
        self.seen = 0  # the last counter that came
        self.unknown = 0  # requests since then that PHP may have counted, or not

    def visited(self):
        """(counter, release)"""
        connection = self.connect()
        try:
            connection.request("GET", self.path(do="visit"), headers={"Cookie": self.cookie} if self.cookie else {})
            answer = connection.getresponse()
            given = answer.headers["Set-Cookie"]
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        if answer.status == 503 and text == STORE_AWAY:
            raise StoreAway(text)
        if answer.status != 200:
            raise Lost("HTTP status %d: %.60r" % (answer.status, text))
        words = text.split()
        if len(words) != 4 or words[0] != "visit" or words[3] != "end":
            raise Wrong("%.80r" % text)
        if given:
            self.cookie = given.partition(";")[0]
        return int(words[1]), int(words[2])

    def request(self):
        self.unknown += 1
        count, release = self.visited()
        low, high = self.seen + 1, self.seen + self.unknown
        self.seen, self.unknown = count, 0
        if not low <= count <= high:
            raise WrongSession("visit %d, expected %d to %d: the session was lost or mixed up" % (count, low, high))
        return release


class Shared(Visit):
    """Several who share one session at the same time: locking gives each of them a number of his own."""

    pause = 0.05
    guard = threading.Lock()
    common = None  # the cookie, once somebody has it
    numbers = set()

    def request(self):
        if Shared.common is None:
            with Shared.guard:
                if Shared.common is None:
                    count, release = self.visited()
                    Shared.common = self.cookie
                    Shared.numbers.add(count)
                    return release
        self.cookie = Shared.common
        count, release = self.visited()
        with Shared.guard:
            if count in Shared.numbers:
                raise WrongSession("visit %d was given to two" % count)
            Shared.numbers.add(count)
        return release


CROWD = {Get: 3, Post: 3, Kept: 3, Straight: 3, HalfClosed: 1, SlowStraight: 2, SlowReader: 1, SlowHeaders: 2,
         SlowBody: 2, Big: 1, Noise: 1, Leaver: 1, Visit: 3, Shared: 3}


def run(client, say):
    """One request after the other."""
    while not STOPPED.wait(client.chance.expovariate(1 / client.pause)):
        say(client.next())


def main(site_port, fpm, seed):
    """Until stdin ends. fpm: a port, or the path of a socket."""
    address = (HOST, int(fpm)) if fpm.isdigit() else fpm
    guard = threading.Lock()

    def say(record):
        with guard:
            print(json.dumps(record), flush=True)

    numbers = range(sum(CROWD.values()))
    kinds = [kind for kind, count in CROWD.items() for _ in range(count)]
    clients = [kind(number, random.Random("%s %d" % (seed, number)), site_port, address)
               for number, kind in zip(numbers, kinds)]
    threads = [threading.Thread(target=run, args=(client, say)) for client in clients]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    STOPPED.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
