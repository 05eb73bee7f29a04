"""`on_event` with real PHP and Redis: sessions and lanes that are lost, and the examples of doc/events.md."""

import http.server
import json
import os
import re
import shutil
import socket
import socketserver
import tempfile
import threading
from pathlib import Path

import pytest

import stores
from clients import Crowd, post, release_of_check
from support import HOST, QUICK_STOP, REPO, SECONDS, redis_command, wait_until
from test_lost_lanes import active_lane

OFTEN = {"TWINIT_SESSIONS_EVERY": "300ms", **QUICK_STOP}


def example(word):
    """The script of doc/events.md whose second line has this word."""
    text = (REPO / "doc" / "events.md").read_text(encoding="utf-8")
    found = [body for body in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S) if word in body.splitlines()[1]]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture
def hook():
    """hook(text) is the path of a script that PHP's user may run."""
    folder = tempfile.mkdtemp(prefix="twinit-hook-", dir="/tmp")
    os.chmod(folder, 0o755)

    def write(text):
        path = Path(folder) / "on-event"
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    yield write
    shutil.rmtree(folder)


class Webhook:
    """A server that keeps what is posted to it."""

    def __init__(self):
        posted = self.posted = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                assert self.headers["Content-Type"] == "application/json"
                posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://%s:%d/" % self.server.server_address

    def wait(self, name, app="www"):
        """The first event of that name."""
        seen = wait_until("the webhook gets %s" % name, SECONDS, lambda: list(self.posted),
                          lambda events: any(event["event"] == name for event in events))
        event = next(event for event in seen if event["event"] == name)
        assert event["app"] == app, event
        return event


@pytest.fixture
def webhook():
    one = Webhook()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def told(make_site, hook, webhook):
    """A site whose events go to the webhook of the same test."""
    return make_site(env={"TWINIT_ON_EVENT": hook(example("$WEBHOOK")), "WEBHOOK": webhook.url, **OFTEN})


def test_a_webhook_hears_of_rolls_crashes_and_the_end(told, webhook):
    assert webhook.wait("ready", app="")["replicas"] == 2
    with Crowd(2, lambda: release_of_check(post(told.port, "/check.php"))) as crowd:
        told.roll_to(2)
        assert webhook.wait("roll-started")["previous"] == "1"
        assert (webhook.wait("roll-done")["release"], webhook.wait("roll-done")["cut"]) == ("2", 0)
        crowd.wait_answers(50)
    assert not crowd.failures() and not crowd.refused()
    os.kill(told.master_of(1), 9)
    assert webhook.wait("replica-crashed")["replica"] == 1
    assert webhook.wait("replica-back")["replica"] == 1
    told.task.stop()
    assert webhook.wait("stopping", app="")["status"] == 0
    assert not told.lines("warning: on_event")


def test_sessions_that_are_lost_and_back_are_told(told, webhook):
    webhook.wait("ready", app="")
    told.stop_redis()
    assert "refused" in webhook.wait("sessions-lost")["why"]
    told.start_redis()
    assert "127.0.0.1:%d" % told.redis_port in webhook.wait("sessions-back")["why"]
    redis_command(told, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    doubt = webhook.wait("sessions-doubt")
    assert doubt["level"] == "warning" and "allkeys-lru" in doubt["why"]
    assert [event["event"] for event in webhook.posted] == ["ready", "sessions-lost", "sessions-back", "sessions-doubt"]


def test_a_store_that_is_split_is_told(cold_site, hook, webhook):
    site = cold_site(redis=False, env={"TWINIT_ON_EVENT": hook(example("$WEBHOOK")), "WEBHOOK": webhook.url,
                                       "TWINIT_SESSIONS_VERIFY": "report", **OFTEN})
    with stores.balanced(site.redis_port, site.directory):
        site.task.start()
        assert "another does not see" in webhook.wait("sessions-lost")["why"]
        webhook.wait("ready", app="")
        assert site.task.status_json()["healthy"]


def test_a_lane_that_is_lost_is_told(told, webhook):
    _, lane = active_lane(told)
    lane.shutdown(socket.SHUT_RDWR)
    lost = webhook.wait("lane-lost")
    assert lost["level"] == "error" and lost["lane"] in "ABCD" and "another" in lost["why"]
    told.wait_masters()


class Mailbox(socketserver.StreamRequestHandler):
    """SMTP as far as curl speaks it."""

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 here")
        for line in self.rfile:
            word = line.split()[0].upper()
            self.server.said.append(line.decode().strip())
            if word == b"DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())
            self.say("221 bye" if word == b"QUIT" else "250 fine")


def test_a_mail_is_sent_for_what_is_more_than_news(make_site, hook):
    with socketserver.ThreadingTCPServer((HOST, 0), Mailbox) as server:
        server.mails, server.said = [], []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mail = {"MAIL_SERVER": "%s:%d" % server.server_address, "MAIL_FROM": "web@here", "MAIL_TO": "ops@here"}
        site = make_site(env={"TWINIT_ON_EVENT": hook(example("$MAIL_TO")), **mail, **QUICK_STOP})
        os.kill(site.master_of(2), 9)
        site.said("after a crash")
        mail, = wait_until("the mail arrives", SECONDS, lambda: list(server.mails))
        head, _, body = mail.partition("\r\n\r\n")
        assert "To: <ops@here>" in head and head.endswith(": replica-crashed")
        assert body.startswith("www: replica 2: was killed by signal 9")
        assert "RCPT TO:<ops@here>" in server.said
        site.task.stop()
        assert len(server.mails) == 1
        server.shutdown()
    assert not site.lines("warning: on_event")
