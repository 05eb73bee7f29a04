"""The counters of these tests are tested: a load test whose counter cannot count would always pass."""

import os
import re
import signal
import socket
import threading

import pytest

from clients import (BODY, Crowd, HalfOpen, Later, Lost, NotAccepted, Record, Wrk, answers_of_the_past, ask_once,
                     check_text, fpm_post, post, release_of_check)
from support import HOST, SECONDS, wait_until


class FalseServer:
    """Answers every POST properly, except the n-th ones, for which it has `faults`: n -> bytes, then the end."""

    def __init__(self, faults):
        text = check_text(1).encode()
        self.good = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text
        self.faults = faults
        self.count = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            self._answer_all(client)
        except OSError:
            pass  # wrk goes in the middle of a request

    def _answer_all(self, client):
        with client, client.makefile("rb") as stream:
            while self._read_request(stream):
                with self._lock:
                    self.count += 1
                    fault = self.faults.get(self.count)
                if fault == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    return
                client.sendall(self.good if fault is None else fault)
                if fault is CUT_OFF:
                    return

    def _read_request(self, stream):
        line, length = None, 0
        while line != b"\r\n":
            line = stream.readline()
            if not line:
                return False
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return len(stream.read(length)) == length

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)  # or accept() in the thread would go on
        self._listener.close()


def answer(text, status="200 OK", length=None):
    """The bytes of an HTTP answer; `length` may lie."""
    body = text.encode()
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status.encode(), length or len(body)) + body


CUT_OFF = answer(check_text(1)[:2000], length=len(check_text(1)))
FAULTS = {
    100: answer("Bad Gateway", "502 Bad Gateway"),
    200: answer(check_text(1)[:-4]),  # too short
    300: CUT_OFF,
    400: "reset",
    500: answer(check_text(1).replace("1 1 1 1", "1 1 2 1")),  # mixed releases
    600: answer(check_text(1).replace("nap whole", "nap cut")),
    700: answer(check_text(1, body=BODY[:-1])),  # not the whole body came
    800: answer(check_text(1, method="GET")),
}


def test_wrk_counts_each_kind_of_failure():
    with FalseServer(FAULTS) as server, Wrk(server.port, connections=4) as load:
        wait_until("1,500 requests", SECONDS, lambda: server.count, lambda seen: seen >= 1500)
        counts = load.stop()
    assert counts.read == 2
    # Six wrong answers, and the one after the cut one, to which wrk glues what it had of that.
    assert counts.bad == 6 + 1
    assert counts.requests >= 1400


def test_a_crowd_counts_each_kind_of_failure_once():
    with FalseServer(FAULTS) as server:
        with Crowd(4, lambda: release_of_check(post(server.port, "/check.php"))) as crowd:
            wait_until("1,000 requests", SECONDS, lambda: server.count, lambda seen: seen >= 1000)
    assert len(crowd.failures()) == 8
    assert not crowd.refused()
    assert len(crowd.records) >= 1000


def test_a_closed_port_is_a_refusal_and_not_a_failure_of_what_was_accepted():
    with FalseServer({}) as server:
        port = server.port
    record = ask_once(lambda: post(port, "/check.php"))
    assert record.failure and not record.accepted
    with pytest.raises(NotAccepted):
        fpm_post((HOST, port), "/check.php")


def test_an_old_answer_after_the_first_new_one_is_noticed():
    def record(begin, end, answer):
        return Record(begin, end, answer, None, True)
    fine = [record(0, 10, 1), record(5, 30, 1), record(12, 20, 2), record(19, 40, 1), record(21, 25, 2)]
    wrong = record(21, 30, 1)
    assert answers_of_the_past(fine) == []
    assert answers_of_the_past([*fine, wrong]) == [wrong]


@pytest.mark.parametrize("text", [check_text(1)[:-1], check_text(1).replace("1 1 1 1", "1 2 1 1"), "", "pong 1"])
def test_a_wrong_answer_has_no_release(text):
    with pytest.raises(Lost):
        release_of_check(text)
    assert release_of_check(check_text(2)) == 2


def test_a_killed_worker_is_counted_by_both_counters(site):
    requests = [Later(lambda: release_of_check(post(site.port, "/check.php?nap=60000"))) for _ in range(4)]
    for worker in site.wait_busy(4):
        os.kill(worker, signal.SIGKILL)
    assert ["HTTP status 502" in request.record().failure for request in requests] == [True] * 4
    with Wrk(site.port, connections=4, nap_ms=60000, long_nap_ms=60000) as load:
        for worker in site.wait_busy(4):
            os.kill(worker, signal.SIGKILL)
        site.wait_busy(4)  # with the next four: wrk has the answers of these
        counts = load.stop()
    assert (counts.requests, counts.bad) == (4, 4)
    assert counts.first_bad.startswith("502")


def test_a_request_that_sees_two_releases_is_noticed_where_nothing_is_pinned(make_site):
    site = make_site(env={"TWINIT_ISOLATION": "none"})
    with Crowd(4, lambda: release_of_check(post(site.port, "/check.php?nap=20"))) as crowd:
        crowd.wait_answers(20)
        assert not crowd.failures()
        site.current(2)
        wait_until("a mixed answer", SECONDS, crowd.failures)
    assert re.match(r"Lost: wrong answer: '[12]( [12]){3} POST", crowd.failures()[0].failure)


def test_a_half_open_connection_is_not_accepted_until_it_may_finish():
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.3)
        client = HalfOpen(listener.getsockname())
        with pytest.raises(TimeoutError):
            listener.accept()
        assert not client.is_open()
        client.finish()
        listener.settimeout(SECONDS)
        listener.accept()[0].close()
        client.close()
