"""People who ask a site: each asks, and asks again until the right answer comes; every try is counted."""

import contextlib
import http.client
import threading
import time
from collections import Counter, namedtuple

import stack

AGAIN = 0.02  # after a failure, as somebody does who presses reload at once

# One visit: when it began and ended by time.monotonic(), its right answer, and how its other tries failed.
Visit = namedtuple("Visit", "begin end text failures")


class Visitor(threading.Thread):
    """One of them, with a connection that is kept; `visits` is for whoever joined it."""

    def __init__(self, port, path, body, right, pause, over):
        super().__init__(daemon=True)
        self.visits = []
        self._port, self._path, self._body = port, path, body
        self._right, self._pause, self._over = right, pause, over
        self._connection = None

    def run(self):
        """Visits until it is over; a visit that has begun is ended."""
        while not self._over.is_set():
            self.visits.append(self._visit())
            self._over.wait(self._pause)
        self._close()

    def _visit(self):
        begin, failures = time.monotonic(), []
        while True:
            try:
                status, text = self._ask()
                if status == 200 and text.startswith(self._right):
                    return Visit(begin, time.monotonic(), text, failures)
                failures.append("HTTP %d" % status if status != 200 else "wrong answer")
            except (OSError, http.client.HTTPException) as error:
                failures.append(type(error).__name__)
                self._close()
            if self._over.is_set():
                return Visit(begin, time.monotonic(), None, failures)
            time.sleep(AGAIN)

    def _ask(self):
        if self._connection is None:
            self._connection = http.client.HTTPConnection(stack.HOST, self._port, timeout=60)
        self._connection.request("POST", self._path, self._body, {"Content-Type": "application/octet-stream"})
        answer = self._connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.will_close:
            self._close()
        return answer.status, text

    def _close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Crowd:
    """`with Crowd(...) as crowd: ...`; afterwards crowd.visits has all visits, in the order of their ends."""

    def __init__(self, count, port, path, body=b"hello", right="", pause=0.002):
        self._over = threading.Event()
        self._members = [Visitor(port, path, body, right, pause, self._over) for _ in range(count)]
        self.visits = []

    def __enter__(self):
        for member in self._members:
            member.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for member in self._members:
            member.join()
        self.visits = sorted((visit for member in self._members for visit in member.visits),
                             key=lambda visit: visit.end)

    @property
    def failures(self):
        """{kind: count} of all tries that failed."""
        return Counter(kind for visit in self.visits for kind in visit.failures)

    @property
    def longest_ms(self):
        """The longest time from the first try of a visit to its right answer."""
        return max(visit.end - visit.begin for visit in self.visits) * 1000


class SlowClient(threading.Thread):
    """Sends the head of a POST at once and its body in small pieces, again and again."""

    PIECES, PAUSE = 10, 0.05

    def __init__(self, port, path, right):
        super().__init__(daemon=True)
        self.failures, self.done = Counter(), 0
        self._port, self._path, self._right = port, path, right
        self._over = threading.Event()

    def run(self):
        """Until stop()."""
        while not self._over.is_set():
            try:
                self._post()
                self.done += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures["slow client: " + (str(error) or type(error).__name__)] += 1
                time.sleep(AGAIN)

    def _post(self):
        connection = http.client.HTTPConnection(stack.HOST, self._port, timeout=60)
        with contextlib.closing(connection):
            connection.putrequest("POST", self._path)
            connection.putheader("Content-Type", "application/octet-stream")
            connection.putheader("Content-Length", str(self.PIECES * 10))
            connection.endheaders()
            for _ in range(self.PIECES):
                time.sleep(self.PAUSE)
                connection.send(b"x" * 10)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        if answer.status != 200:
            raise http.client.HTTPException("HTTP %d" % answer.status)
        if self._right not in text:
            raise http.client.HTTPException("wrong answer")

    def stop(self):
        """Ends after the request that is under way."""
        self._over.set()
        self.join()
