"""`make stress`: dots while all is well, the first failure in full."""

import os
import re
import signal
import subprocess

import pytest

from support import REPO, SECONDS, free_ports

SUMMARY = r"(\d+) pings and (\d+) naps of 300 ms, the longest took \d+ ms, by release (\S.*); (none failed|stopped .*)$"


@pytest.fixture
def stress():
    """stress(port, SECONDS) runs beside the test."""
    begun = []

    def start(port, seconds=60):
        begun.append(subprocess.Popen(["make", "--no-print-directory", "stress", "S=%d" % seconds], cwd=REPO, bufsize=0,
                                      env={**os.environ, "PORT": str(port)}, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True))
        return begun[-1]

    yield start
    for one in begun:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
        one.communicate()


def end(popen):
    """What it printed behind what was read already, when it has ended; and (pings, naps, releases, verdict)."""
    output = popen.communicate(timeout=SECONDS)[0].decode()
    found = re.search(SUMMARY, output, re.M)
    assert found, "no summary in:\n" + output
    return output, int(found[1]), int(found[2]), found[3].split(", "), found[4]


def test_dots_while_all_is_well_also_during_rolls(site, stress):
    running = stress(site.port)
    assert running.stdout.read(1) == b"."
    site.roll_to(2)
    assert running.stdout.read(1) == b"."
    os.killpg(running.pid, signal.SIGINT)
    output, pings, naps, releases, verdict = end(running)
    assert (releases, verdict) == (["1", "2"], "none failed"), output
    assert naps > 0 and re.match(r"[.\n]*", output)[0].count(".") == (pings + naps) // 100 - 2


def test_it_ends_by_itself_with_0(site, stress):
    running = stress(site.port, 1)
    _, pings, naps, releases, verdict = end(running)
    assert (running.returncode, releases, verdict) == (0, ["1"], "none failed") and pings > 0 and naps > 0


def test_the_first_failure_is_shown_in_full(site, stress):
    page = "<?php header('X-Why: test'); http_response_code(500); echo 'no: ', str_repeat('x', 500), '!';"
    (site.directory / "app" / "releases" / "2" / "public" / "ping.php").write_text(page)
    running = stress(site.port)
    assert running.stdout.read(1) == b"."
    site.roll_to(2)
    output, *_, verdict = end(running)
    assert running.returncode != 0 and verdict.startswith("stopped at"), output
    assert output.count("FAILED") == 1 and "GET /ping.php\nHTTP 500" in output and "X-Why: test" in output, output
    assert "no: " + "x" * 500 + "!" in output


def test_a_nap_that_is_cut_is_a_failure(site, stress):
    (site.directory / "app" / "releases" / "2" / "public" / "nap.php").write_text("<?php echo 299;")
    running = stress(site.port)
    assert running.stdout.read(1) == b"."
    site.roll_to(2)
    output, *_ = end(running)
    assert running.returncode != 0
    assert "expected a nap of 300 ms and got\nPOST /nap.php?ms=300\nHTTP 200" in output, output


def test_a_site_that_goes_away_is_a_failure(site, stress):
    running = stress(site.port)
    assert running.stdout.read(1) == b"."
    site.nginx.stop()
    output, *_ = end(running)
    assert running.returncode != 0 and re.search(r"FAILED after \d+ ms\n.*(no connection|/ping|/nap)", output), output


def test_no_site_and_no_sense(stress):
    running = stress(free_ports(1))
    output = running.communicate(timeout=SECONDS)[0].decode()
    assert running.returncode != 0 and "`make up` starts the site" in output and "ConnectionRefused" in output
    done = subprocess.run([REPO / "tools" / "stress", "soon"], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 64 and "usage: tools/stress [SECONDS]" in done.stderr
