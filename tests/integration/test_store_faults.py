"""Item 1 and 2 of the session check: whatever sits where Redis should be is named rightly, and blocks nothing."""

import contextlib
import json
import re
import secrets
import subprocess
import time
from pathlib import Path

import pytest

import certificates
import places
import stores
import support
from clients import fpm_post, release_of_check
from support import HOST, QUICK_STOP, REPO, errors_of, start_and_wait_for_end

SELDOM = {"TWINIT_SESSIONS_EVERY": "1h", **QUICK_STOP}  # it is asked when the tests ask
PLAIN = "tcp://%s:${REDIS_PORT}?timeout=2&read_timeout=2" % HOST
PASSWORD = secrets.token_hex(12)
ACL = ["~app:*", "resetchannels", "-@all", "+get", "+setex", "+expire", "+del", "+exists", "+set", "+eval", "+evalsha",
       "+select", "+echo", "+getex", "+ping"]


def found(said, result=None, name=None):
    """The findings of `twinit sessions --json` with that result and that id."""
    findings, = [app["findings"] for app in said["apps"]]
    return [one for one in findings if result in (None, one["result"]) and name in (None, one["id"])]


def ask(task):
    """(exit status, what `twinit sessions --json` says, how often `twinit status` was answered meanwhile)."""
    env = {"TWINIT_RUN_DIR": str(task.run_dir)}
    statuses = 0
    with subprocess.Popen([str(task.stack.binary), "sessions", "--json"], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as asking:
        while asking.poll() is None:
            task.status_json()
            statuses += asking.poll() is None
        return asking.returncode, json.loads(asking.stdout.read()), statuses


class Shop:
    """A Site whose Redis gives way to something else and comes back."""

    def __init__(self, site):
        self.site, self.task = site, site.task
        self.pid = site.task.pid

    @contextlib.contextmanager
    def instead(self, fault):
        """The fault is where Redis was."""
        self.site.stop_redis()
        with fault(self.site.redis_port, self.site.directory):
            yield
        self.site.start_redis()

    def assert_serves(self):
        """PID 1 is what it was, and pages without sessions come."""
        assert self.task.pid == self.pid
        assert release_of_check(fpm_post(self.task.address, "/check.php")) in (1, 2)

    def assert_lost(self, reason):
        """Degraded, not unhealthy, and no roll; the reason is said each time."""
        status = self.task.status_json()
        assert (status["healthy"], status["degraded"]) == (True, True), status
        assert re.search(reason, status["why"]), status["why"]
        health = self.task.twinit("health")
        assert health.returncode == 0
        assert health.stdout.startswith("healthy, degraded: ")
        masters = self.task.masters()
        roll = self.task.twinit("restart")
        assert roll.returncode == 1
        assert re.search("roll refused, nothing was touched: session store: .*(%s)" % reason, roll.stdout), roll.stdout
        assert self.task.masters() == masters
        self.assert_serves()

    def assert_well(self):
        """Nothing of it stays when Redis is back."""
        code, said, _ = ask(self.task)
        assert code == 0, found(said, "failed")
        assert self.task.status_json()["degraded"] is False
        self.assert_serves()


@contextlib.contextmanager
def open_shop(before=lambda site: None, **options):
    """A Shop for many tests."""
    site = support.Site(**options)
    try:
        before(site)
        site.start()
        yield Shop(site)
    finally:
        site.end()


@pytest.fixture(scope="module")
def plain():
    """The store of the sample: no login, database or prefix."""
    with open_shop(env=SELDOM) as shop:
        yield shop


# {what sits there: (how it gets there, id of the finding, what is seen)}
FAILURES = {
    "nobody": (stores.stopped, "connect", "refused"),
    "a Redis that hangs": (stores.hung, "answer", ""),
    "a Redis that wants a password": (stores.configured("--requirepass", "other", *stores.GOOD), "auth",
                                      "NOAUTH|password"),
    "a read-only replica": (stores.replica, "role", "replica"),
    "a replica without its primary": (stores.orphan, "role", "replica|MASTERDOWN"),
    "a Redis that loads its data": (stores.loading, "loading", "load"),
    "a full Redis": (stores.configured("--maxmemory", "1", "--maxmemory-policy", "noeviction"), "memory", "OOM|memory"),
    "a Redis that cannot save": (stores.cannot_save, "persistence", "MISCONF|snapshot|disk"),
    "a Redis without room for one more": (stores.crowded, "clients", "max number of clients|maxclients"),
    "a Sentinel": (stores.sentinel, "role", "[Ss]entinel"),
    "a node of a cluster": (stores.cluster, "cluster", "MOVED|cluster"),
    "a node without a cluster": (stores.cluster_without_slots, "cluster", "CLUSTERDOWN|cluster"),
    "two stores behind one address": (stores.balanced, "split", "another does not see"),
    "somebody who closes at once": (stores.served(stores.close_at_once), "answer", "closes the connection"),
    "a web server": (stores.served(stores.speak_http), "protocol", "HTTP|not Redis"),
    "garbage": (stores.served(stores.say_garbage), "protocol", ""),
    "an answer without end": (stores.served(stores.never_end), "protocol", ""),
    "more answers than questions": (stores.served(stores.flood), "protocol", ""),
    "a promise of 500 MB": (stores.served(stores.promise_much), "protocol|answer", ""),
    "arrays without end": (stores.served(stores.nest_deeply), "protocol", ""),
    "a byte a second": (stores.served(stores.drip), "answer", ""),
    "silence": (stores.served(stores.say_nothing), "answer", ""),
}
SLOW = {"a Redis that hangs", "a byte a second", "silence"}


@pytest.mark.parametrize("who", FAILURES)
def test_a_store_that_cannot_keep_sessions_is_named_and_blocks_nothing(plain, who):
    fault, name, seen = FAILURES[who]
    with plain.instead(fault):
        begun = time.monotonic()
        code, said, statuses = ask(plain.task)
        took = time.monotonic() - begun
        failed = found(said, "failed")
        assert code == 1
        assert failed, said
        assert re.fullmatch(name, failed[0]["id"]), failed
        assert re.search(seen, failed[0]["seen"]), failed
        assert failed[0]["fix"] and "%s:%d" % (HOST, plain.site.redis_port) in failed[0]["subject"], failed
        assert took < 15
        if who in SLOW:
            assert statuses >= 3, "status waits for the store"
        plain.assert_lost(seen or "%s:%d" % (HOST, plain.site.redis_port))
    plain.assert_well()


# {what sits there: (how, id of the finding, what is seen)}
DOUBTS = {
    "evicts any key": (stores.configured("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), "eviction",
                       "allkeys-lru"),
    "evicts sessions": (stores.configured("--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"), "eviction",
                        "volatile-ttl"),
    "forgets at its end": (stores.configured(*stores.NOT_SAVED), "persistence", ""),
    "is nearly full": (stores.nearly_full, "memory", ""),
    "has room for few": (stores.configured("--maxclients", "10", *stores.GOOD), "clients", "10"),
}


@pytest.mark.parametrize("who", DOUBTS)
def test_a_store_that_may_lose_sessions_is_warned_of_and_rolls_go_on(plain, who):
    fault, name, seen = DOUBTS[who]
    with plain.instead(fault):
        code, said, _ = ask(plain.task)
        assert code == 0, found(said, "failed")
        doubt = found(said, "warning", name)
        assert doubt, said
        assert re.search(seen, doubt[0]["seen"]) and doubt[0]["fix"], doubt
        assert plain.task.status_json()["degraded"] is False
        assert "is active on 2 replicas" in plain.task.restart()
        plain.assert_serves()
    plain.assert_well()


def test_a_good_store_has_no_failure_and_no_warning(plain):
    code, said, _ = ask(plain.task)
    assert code == 0
    assert not found(said, "failed") and not found(said, "warning"), said
    assert found(said, "ok", "write") and found(said, "ok", "role") and found(said, "ok", "lock-commands")


def test_the_text_has_a_line_for_each_finding(plain):
    def words(one):
        return "www: %(result)s: %(id)s: %(subject)s: %(seen)s" % one + ("; " + one["fix"] if one["fix"] else "")

    def told(one):
        return re.sub(r"in [\d.]+ ms", "in N ms", one)  # took another time
    for fault in (stores.configured(*stores.GOOD), stores.configured(*stores.NOT_SAVED), stores.stopped):
        with plain.instead(fault):
            code, said, _ = ask(plain.task)
            text = plain.task.twinit("sessions")
            assert text.returncode == code
            lines = [told(line) for line in text.stdout.splitlines()]
            assert lines == [told(words(one)) for one in found(said)]


# Users.

@pytest.fixture(scope="module")
def login():
    """A store with a user, a database and a prefix of its own."""
    def before(site):
        site.ini["session.save_path"] = '"%s&auth[]=app&auth[]=%s&database=2&prefix=app:"' % (PLAIN, PASSWORD)
        site.redis_command = lambda command=site.redis_command: [*command(), "--user", *user(*ACL)]
    with open_shop(before, env=SELDOM) as shop:
        yield shop


def user(*rules, password=PASSWORD):
    """The words behind --user."""
    return ["app", "on", ">" + password, *rules]


def test_a_user_with_just_what_php_needs_passes(login):
    code, said, _ = ask(login.task)
    assert code == 0, found(said, "failed")
    assert not found(said, "failed")
    assert found(said, "ok", "write") and found(said, "ok", "lock-commands")
    assert found(said, "unknown"), "what the rules hide is not called well"
    assert "database 2" in found(said, "ok", "write")[0]["subject"]
    assert "is active on 2 replicas" in login.task.restart()


# {what is wrong: (options of Redis, id of the finding, what is seen)}
LOGINS = {
    "another password": (["--user", *user(*ACL, password="other")], "auth", "WRONGPASS|assword"),
    "no such user": ([], "auth", ""),
    "a user that is off": (["--user", "app", "off", ">" + PASSWORD, *ACL], "auth", ""),
    "no right to write": (["--user", *user(*[rule for rule in ACL if rule != "+setex"])], "acl", "SETEX|setex"),
    "no right to read": (["--user", *user(*[rule for rule in ACL if rule != "+get"])], "acl", "GET|get"),
    "no right to select": (["--user", *user(*[rule for rule in ACL if rule != "+select"])], "acl", "SELECT|select"),
    "no right to the lock": (["--user", *user(*[rule for rule in ACL if rule not in ("+eval", "+evalsha")])],
                             "acl|lock-commands", "EVAL|eval"),
    "no right to the keys": (["--user", *user(*["~other:*", *ACL[1:]])], "acl", "key"),
    "too few databases": (["--databases", "2", "--user", *user(*ACL)], "database", "no such database"),
}


@pytest.mark.parametrize("what", LOGINS)
def test_a_user_that_cannot_do_it_is_named_without_the_password(login, what):
    options, name, seen = LOGINS[what]
    with login.instead(stores.configured(*stores.GOOD, *options)):
        code, said, _ = ask(login.task)
        failed = found(said, "failed")
        assert code == 1
        assert re.fullmatch(name, failed[0]["id"]), failed
        assert re.search(seen, failed[0]["seen"]) and failed[0]["fix"], failed
        assert PASSWORD not in json.dumps(said)
        login.assert_lost("app|database|user|key|NOPERM|WRONGPASS|" + (seen or "assword"))
    login.assert_well()


# Names.

@pytest.fixture
def named(request):
    """A store behind the name store.test, and the Place where that is decided; request.param: its name server."""
    with places.Place({"store.test": [HOST]}, name_server=getattr(request, "param", None)) as place:
        def before(site):
            site.namespaces = place
            site.ini["session.save_path"] = '"tcp://store.test:${REDIS_PORT}?timeout=2&read_timeout=2"'
        with open_shop(before, env=SELDOM) as shop:
            yield shop, place


def test_two_stores_behind_one_name_are_split(named):
    shop, place = named
    with stores.running(shop.site.directory, shop.site.redis_port, *stores.GOOD, host="127.0.0.2"):
        place.set_hosts({"store.test": [HOST, "127.0.0.2"]})
        code, said, _ = ask(shop.task)
        assert code == 1
        assert found(said, "failed", "split"), said
        assert {"127.0.0.1", "127.0.0.2"} <= {address for one in found(said, "ok", "write")
                                              for address in re.findall(r"\(([\d.]+)\)", one["subject"])}
        shop.assert_lost("127.0.0.")
    place.set_hosts({"store.test": [HOST]})
    shop.assert_well()


def test_one_address_of_a_name_without_a_redis_is_a_warning(named):
    shop, place = named
    place.set_hosts({"store.test": [HOST, "127.0.0.2"]})
    code, said, _ = ask(shop.task)
    assert code == 0, found(said, "failed")
    doubt, = found(said, "warning", "connect")
    assert "127.0.0.2" in doubt["subject"] and "refused" in doubt["seen"]


@pytest.mark.parametrize("named", ["127.0.0.53"], indirect=True)
def test_a_name_server_that_never_answers_is_given_up(named):
    shop, place = named
    with places.silent_name_server("127.0.0.53"):
        place.set_hosts({})
        code, said, statuses = ask(shop.task)
        assert code == 1
        assert found(said, "failed", "resolve"), said
        assert statuses >= 3, "status waits for the name server"
        shop.assert_lost("store.test")
    place.set_hosts({"store.test": [HOST]})
    shop.assert_well()


def test_a_name_that_is_gone_is_said(named):
    shop, place = named
    place.set_hosts({})
    code, said, _ = ask(shop.task)
    assert code == 1
    assert found(said, "failed", "resolve"), said
    shop.assert_lost("store.test")
    place.set_hosts({"store.test": [HOST]})
    shop.assert_well()


# Other ways to a store.

def test_a_unix_socket(cold_site):
    site = cold_site(redis=False, env=QUICK_STOP,
                     ini={"session.save_path": '"unix:///srv/sock/redis.sock?read_timeout=2&database=1"'})
    path = site.directory / "sock" / "redis.sock"
    with stores.running(site.directory, site.redis_port, *stores.GOOD, "--unixsocket", path, "--unixsocketperm", "777"):
        site.task.start()
        site.task.wait_ready()
        code, said, _ = ask(site.task)
        assert code == 0, found(said, "failed")
        assert found(said, "ok", "write")[0]["subject"].startswith("/srv/sock/redis.sock")
    code, said, _ = ask(site.task)
    assert code == 1
    assert found(said, "failed", "connect")[0]["subject"].startswith("/srv/sock/redis.sock")


def test_a_cluster_with_the_handler_for_it(cold_site):
    site = cold_site(redis=False, env=SELDOM, ini={
        "session.save_handler": "rediscluster",
        "session.save_path": '"seed[]=%s:${REDIS_PORT}&timeout=2&read_timeout=2&prefix=app:"' % HOST})
    with stores.cluster(site.redis_port, site.directory) as nodes:
        site.task.start()
        site.task.wait_ready()
        site.start_nginx()
        cookie = site.get("/session.php").headers["Set-Cookie"].partition(";")[0]
        assert site.get("/session.php", cookie=cookie).body == "2"
        code, said, _ = ask(site.task)
        assert code == 0, found(said, "failed")
        assert found(said, "ok", "cluster") and found(said, "ok", "write"), said
        assert "is active on 2 replicas" in site.task.restart()

        nodes[1].stop()
        nodes[0].said("cluster_state:fail", "CLUSTER", "INFO")
        code, said, _ = ask(site.task)
        assert code == 1
        assert found(said, "failed"), said
        assert site.task.twinit("restart").returncode == 1


@pytest.fixture
def tls(cold_site, tmp_path):
    """tls(**wishes) prepares a site whose store speaks TLS, with a certificate as Authority.issue() makes it."""
    authority = certificates.Authority(tmp_path)
    with places.Place({"store.test": [HOST]}) as place, contextlib.ExitStack() as opened:
        def make(**wishes):
            site = cold_site(redis=False, env={"TWINIT_SESSIONS_WAIT": "1s", **SELDOM})
            site.namespaces = place
            site.ini.update({"session.save_path": '"tls://store.test:${REDIS_PORT}?timeout=2&read_timeout=2"',
                             "openssl.cafile": "/srv/php-fpm/ca.crt"})
            site.task.configure()
            (site.task.fpm_config / "ca.crt").write_bytes(Path(authority.cert).read_bytes())
            (site.task.fpm_config / "ca.crt").chmod(0o644)
            own = authority.issue("store", **wishes)
            opened.enter_context(stores.running(site.directory, site.redis_port, "--port", "0", "--tls-port",
                                                site.redis_port, "--tls-cert-file", own.cert, "--tls-key-file", own.key,
                                                "--tls-auth-clients", "no"))
            return site
        yield make


def test_a_store_behind_tls_is_proven_through_php_and_not_called_asked(tls):
    site = tls(names=["store.test"])
    site.task.start()
    site.task.wait_ready()
    site.start_nginx()
    cookie = site.get("/session.php").headers["Set-Cookie"].partition(";")[0]
    assert site.get("/session.php", cookie=cookie).body == "2"
    code, said, _ = ask(site.task)
    assert code == 0, found(said, "failed")
    assert found(said, "not asked", "tls"), said
    assert not found(said, "ok", "write")
    assert "is active on 2 replicas" in site.task.restart()


@pytest.mark.parametrize("wishes, reason", [
    ({"names": ["store.test"], "expired": True}, "certificate verify failed"),
    ({"names": ["other.test"]}, "did not match expected name .store.test"),
], ids=["expired", "of another host"])
def test_a_store_whose_certificate_php_refuses_ends_the_start(tls, wishes, reason):
    site = tls(**wishes)
    assert start_and_wait_for_end(site) == 69
    error, = errors_of(site.task)
    assert "cannot write a session" in error and re.search(reason, error), error


@pytest.fixture(scope="module")
def binary_with_tls():
    """build/tls/twinit, for which the system's libraries are needed."""
    make = ["make", "--no-print-directory", "-C", REPO, "TLS=1", "BUILD=build/tls", "build"]
    done = subprocess.run(make, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return REPO / "build" / "tls" / "twinit"


def test_a_program_with_tls_asks_the_store_too(tls, binary_with_tls):
    site = tls(names=["store.test"])
    site.binary = binary_with_tls
    site.task.env["SSL_CERT_FILE"] = "/srv/php-fpm/ca.crt"
    site.task.start()
    site.task.wait_ready()
    code, said, _ = ask(site.task)
    assert code == 0, found(said, "failed")
    for name in ("write", "role", "memory", "members", "lock-commands"):
        assert found(said, "ok", name), (name, said)
    assert not found(said, "not asked", "tls"), said
    assert "it was in the store" in found(said, "ok", "chain")[0]["seen"]
    assert "is active on 2 replicas" in site.task.restart()
    assert site.task.stop() == 0


def test_a_certificate_that_only_php_trusts_is_not_called_bad(tls, binary_with_tls):
    site = tls(names=["store.test"])
    site.binary = binary_with_tls
    site.task.start()
    site.task.wait_ready()
    code, said, _ = ask(site.task)
    assert code == 0, found(said, "failed")
    assert "issuer certificate" in found(said, "not asked", "tls")[0]["seen"]
    assert found(said, "ok", "chain"), said


# The rest of item 2.

def test_fail_health_always_makes_a_lost_store_unhealthy(make_site):
    site = make_site(env={"TWINIT_SESSIONS_FAIL_HEALTH": "always", **SELDOM})
    assert site.task.twinit("health").returncode == 0
    site.stop_redis()
    assert ask(site.task)[0] == 1
    health = site.task.twinit("health")
    assert health.returncode == 1
    assert "refused" in health.stdout
    assert release_of_check(fpm_post(site.task.address, "/check.php")) == 1, "and serves on"


def test_a_site_without_redis_sessions_needs_and_reports_nothing(cold_site):
    site = cold_site(redis=False, ini={"session.save_handler": "files", "session.save_path": "/tmp"}, env=QUICK_STOP)
    site.task.start()
    site.task.wait_ready()
    code, said, _ = ask(site.task)
    assert code == 0
    assert {one["result"] for one in found(said)} <= {"not asked"}, said
    status = site.task.status_json()
    assert (status["healthy"], status["degraded"]) == (True, False)
    assert not [line for line in site.task.since() if "warning" in line or "session" in line]
    assert "is active on 2 replicas" in site.task.restart()


def test_the_document_has_a_row_for_each_finding():
    source, _, _ = (support.REPO / "src" / "session" / "finding.c").read_text().partition("result_names")
    names = re.findall(r'\[FINDING_\w+\] = "([\w-]+)"', source)
    rows = [line for line in (support.REPO / "doc" / "sessions.md").read_text().splitlines() if line.startswith("| `")]
    assert len(names) > 20
    assert not [name for name in names if not any("`%s`" % name in row.split("|")[1] for row in rows)]
