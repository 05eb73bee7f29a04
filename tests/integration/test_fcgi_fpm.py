"""`twinit fcgi` asks real php-fpm: over its address, and one replica alone past all visitors."""

import hashlib
import json
import os
import re
import signal
import subprocess

import pytest

from clients import Crowd, Later, fpm_post
from support import QUICK_STOP, SECONDS, VARIANTS, Site

ROOT = "/srv/app/current/public"
ECHO = r"""<?php
header('Content-Type: text/plain');
http_response_code((int) ($_GET['status'] ?? 201));
$size = 0;
$sum = hash_init('md5');
for ($body = fopen('php://input', 'rb'); !feof($body); ) {
    $piece = fread($body, 65536);
    $size += strlen($piece);
    hash_update($sum, $piece);
}
echo json_encode(['server' => $_SERVER, 'get' => $_GET, 'post' => $_POST, 'size' => $size, 'md5' => hash_final($sum)]);
"""
BLOB = r"""<?php
header('Content-Type: application/octet-stream');
while (ob_get_level()) {
    ob_end_clean();
}
for ($i = 0; $i < $_GET['pieces']; $i++) {
    echo hash('sha512', $i, true), str_repeat(pack('N', $i), 16384 - 16);
}
"""
COMPLAIN = r"""<?php
ini_set('error_log', '');
error_log("first\tcomplaint");
echo 'page';
error_log('second complaint');
"""
SETTINGS = r"""<?php
$names = ['variables_order', 'doc_root', 'open_basedir', 'auto_prepend_file', 'session.save_handler', 'session.save_path'];
echo json_encode(['server' => isset($_SERVER['DOCUMENT_ROOT'])] + array_combine($names, array_map('ini_get', $names)));
"""
STAY = r"""<?php
while (ob_get_level()) {
    ob_end_flush();
}
echo str_repeat('x', 1000);
flush();
sleep(60);
"""


def blob(pieces):
    """What BLOB makes."""
    for i in range(pieces):
        yield hashlib.sha512(str(i).encode()).digest() + i.to_bytes(4, "big") * (16384 - 16)


def where(site):
    """ADDRESS of the site's php-fpm, as the command wants it."""
    address = site.task.address
    return address if isinstance(address, str) else "%s:%d" % address


def fcgi(site, *words, stdin=b"", **options):
    """What `twinit fcgi WORDS...` did, as bytes."""
    env = {**os.environ, "TWINIT_RUN_DIR": str(site.task.run_dir)}
    return subprocess.run([str(site.binary), "fcgi", *map(str, words)], input=stdin, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=2 * SECONDS, **options)


def add_script(site, name, text):
    """A page of release 1; its path as PHP sees it."""
    path = site.directory / "app" / "releases" / "1" / "public" / name
    path.write_text(text)
    path.chmod(0o644)
    return "%s/%s" % (ROOT, name)


@pytest.fixture(scope="module", params=["namespace", "unix"])
def asked(request):
    """A site that all tests here ask that do not change it, over TCP and over a unix socket."""
    site = Site(**VARIANTS[request.param], ini={"post_max_size": "64M", "memory_limit": "32M", "fastcgi.logging": "1"})
    site.start()
    yield site
    site.end()


def test_php_sees_a_request_like_any_other(asked):
    echo = add_script(asked, "echo.php", ECHO)
    done = fcgi(asked, "-i", where(asked), echo + "?a=1&b[]=%20x", "HTTP_X_NAME=ä=b", "DOCUMENT_ROOT=" + ROOT)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert done.returncode == 0 and done.stderr == b"", done
    assert b"Status: 201 Created" in head and b"Content-type: text/plain" in head
    seen = json.loads(body)
    assert seen["get"] == {"a": "1", "b": [" x"]} and seen["size"] == 0
    wanted = {"REQUEST_METHOD": "GET", "SCRIPT_FILENAME": echo, "REQUEST_URI": echo + "?a=1&b[]=%20x",
              "HTTP_X_NAME": "ä=b", "DOCUMENT_ROOT": ROOT}
    assert wanted.items() <= seen["server"].items()


def test_php_gets_a_form(asked):
    done = fcgi(asked, where(asked), add_script(asked, "echo.php", ECHO), stdin=b"a=1&b=2")
    assert json.loads(done.stdout)["post"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize("size", [1, 65535, 65536, 20 * 1024 * 1024])
def test_php_gets_a_body_of_any_size_whole(asked, size):
    body = os.urandom(size)
    echo = add_script(asked, "echo.php", ECHO)
    done = fcgi(asked, where(asked), echo, "CONTENT_TYPE=application/octet-stream", stdin=body)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["size"], seen["md5"]) == (size, hashlib.md5(body).hexdigest())


def test_an_answer_of_100_mb_comes_whole(asked):
    pieces = 1600
    done = fcgi(asked, where(asked), add_script(asked, "blob.php", BLOB) + "?pieces=%d" % pieces)
    assert done.returncode == 0 and done.stderr == b""
    assert hashlib.md5(done.stdout).digest() == hashlib.md5(b"".join(blob(pieces))).digest()


def test_what_php_says_on_stderr_is_no_part_of_the_page(asked):
    done = fcgi(asked, where(asked), add_script(asked, "complain.php", COMPLAIN))
    assert (done.returncode, done.stdout) == (0, b"page")
    assert re.fullmatch(rb"(?s).*first\tcomplaint.*second complaint\n", done.stderr), done.stderr


@pytest.mark.parametrize("status, exit_status", [(200, 0), (302, 0), (404, 22), (500, 22)])
def test_the_exit_status_tells_the_http_status(asked, status, exit_status):
    done = fcgi(asked, where(asked), add_script(asked, "echo.php", ECHO) + "?status=%d" % status)
    assert done.returncode == exit_status and json.loads(done.stdout)["size"] == 0
    assert done.stderr.decode() == ("twinit fcgi: %s answered %d\n" % (where(asked), status) if exit_status else "")


def test_a_script_that_is_not_there_and_one_that_is_no_script(asked):
    done = fcgi(asked, where(asked), ROOT + "/none.php")
    assert (done.returncode, done.stdout) == (22, b"File not found.\n")
    assert b"Primary script unknown\n" in done.stderr, done.stderr
    assert b"answered 404; SCRIPT is the path" in done.stderr, done.stderr
    done = fcgi(asked, where(asked), add_script(asked, "page.txt", "text"))
    assert (done.returncode, done.stdout) == (22, b"Access denied.\n")
    assert b"security.limit_extensions" in done.stderr and b"answered 403" in done.stderr


def test_a_worker_that_dies_cuts_its_answer(asked):
    words = [str(asked.binary), "fcgi", where(asked), add_script(asked, "stay.php", STAY)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as popen:
        assert popen.stdout.read(1000) == b"x" * 1000
        os.kill(asked.wait_busy(1)[0], signal.SIGKILL)
        assert popen.communicate(timeout=SECONDS)[0] == b"" and popen.returncode == 18


def test_php_that_takes_too_long(asked):
    done = fcgi(asked, "-w", "--timeout", 0.5, where(asked), ROOT + "/check.php?nap=3000")
    assert done.returncode == 28
    assert b"no answer from" in done.stderr and b"first byte never" in done.stderr


def test_other_servers_do_not_speak_fastcgi(asked):
    done = fcgi(asked, "127.0.0.1:%d" % asked.port, "/a")
    assert done.returncode == 8 and b"does not speak FastCGI" in done.stderr and b"web server" in done.stderr, done
    done = fcgi(asked, "--timeout", 0.5, "127.0.0.1:%d" % asked.redis_port, "/a")
    assert done.returncode == 28 and b"or that does not speak FastCGI" in done.stderr, "Redis says nothing: %r" % done


# One replica.

def asked_alone(site, replica, script="visit.php"):
    """(release, replica, master) of the page that says who answered, asked past the visitors."""
    done = fcgi(site, "--replica", "www/%d" % replica, "%s/%s" % (ROOT, script), "DOCUMENT_ROOT=" + ROOT)
    assert done.returncode == 0, done
    _, release, _, name, master = done.stdout.decode().split()
    return release, name, int(master)


def inside(site):
    """{number: pid inside} of the masters that serve."""
    return {one["replica"]: one["pid"] for one in site.app()["masters"] if one["group"] == "active"}


def test_each_replica_answers_while_all_visitors_workers_are_busy(make_site, tmp_path):
    site = make_site(env=QUICK_STOP, pool={"pm": "static", "pm.max_children": "2"})
    go = site.directory / "app" / "releases" / "1" / "go"
    busy = [Later(lambda: fpm_post(site.task.address, "/check.php?until=%s/../go" % ROOT)) for _ in range(2)]
    site.wait_busy(2)
    done = fcgi(site, "--timeout", 0.5, where(site), ROOT + "/visit.php")
    assert done.returncode == 28 and b"all workers are busy" in done.stderr, "nobody is free: %r" % done
    for number, pid in inside(site).items():
        assert asked_alone(site, number) == ("1", "www/%d" % number, pid)
    go.touch()
    for one in busy:
        assert one.record().failure is None


def test_after_a_roll_the_new_masters_are_asked(site):
    before = inside(site)
    site.roll_to(2)
    for number, pid in inside(site).items():
        assert pid not in before.values()
        assert asked_alone(site, number) == ("2", "www/%d" % number, pid)


def test_during_rolls_some_master_of_it_always_answers(make_site):
    site = make_site()
    with Crowd(2, lambda: asked_alone(site, 1)[1], lambda: asked_alone(site, 2)[1]) as crowd:
        for number in (2, 1, 2):
            crowd.wait_answers(5)
            site.roll_to(number)
    assert {record.answer for record in crowd.records} == {"www/1", "www/2"} and not crowd.failures(), crowd.records


def test_a_replica_answers_while_redis_hangs(site):
    echo = add_script(site, "echo.php", ECHO)
    site.redis.send(signal.SIGSTOP)
    try:
        done = fcgi(site, "--replica", "www/1", echo, "CONTENT_TYPE=application/octet-stream", stdin=bytes(200000))
    finally:
        site.redis.send(signal.SIGCONT)
    assert done.returncode == 0 and json.loads(done.stdout)["size"] == 200000, done


@pytest.mark.parametrize("variant", ["namespace", "path"])
def test_what_is_asked_by_hand_and_what_twinit_asks_leave_each_other_alone(make_site, variant):
    """A worker keeps what PHP_ADMIN_VALUE sets until it ends."""
    site = make_site(**VARIANTS[variant])
    script = add_script(site, "settings.php", SETTINGS)
    page = "DOCUMENT_ROOT=" + ROOT, "SCRIPT_NAME=/settings.php"
    wanted = [site.get("/settings.php").body] * 4
    seen = []
    for _ in range(4):  # of a pool's four workers any may be the one that twinit's own script was in
        assert site.task.twinit("sessions").returncode == 0
        seen.append(fcgi(site, "--replica", "www/1", script, *page).stdout.decode())
    assert seen == wanted
    by_hand = "PHP_ADMIN_VALUE=session.save_handler=files\nsession.save_path=/nonexistent"
    for replica in (1, 2):
        said = json.loads(fcgi(site, "--replica", "www/%d" % replica, script, *page, by_hand).stdout)
        assert said["session.save_path"] == "/nonexistent", "it was set"
    done = site.task.twinit("sessions")
    assert done.returncode == 0, done.stdout + done.stderr
    assert fcgi(site, "--replica", "www/1", script, *page).stdout.decode() == wanted[0]


def test_a_replica_that_is_not_there(site):
    for name, sentence in (("www/4", "there is no replica www/4"), ("shop/1", "no app is called 'shop'")):
        done = fcgi(site, "--replica", name, ROOT + "/visit.php")
        assert done.returncode == 1 and sentence in done.stderr.decode(), done
    assert site.task.twinit("stop", "www", "2").returncode == 0
    done = fcgi(site, "--replica", "www/2", ROOT + "/visit.php")
    assert done.returncode == 1 and b"there is no replica www/2 that serves" in done.stderr, done
    asked_alone(site, 1)


def test_nobody_else_may_ask_a_replica(site):
    done = fcgi(site, "--replica", "www/1", ROOT + "/visit.php", user=65534)
    assert done.returncode == 1 and b"answers only root" in done.stderr, done


def test_without_a_twinit_it_says_where_it_looked(site):
    site.task.stop()
    done = fcgi(site, "--replica", "www/1", ROOT + "/visit.php")
    assert done.returncode == 1 and str(site.task.run_dir) in done.stderr.decode(), done
