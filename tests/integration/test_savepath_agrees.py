"""The reader of session.save_path against phpredis itself: where it connects, its login, database and key."""

import shutil
import subprocess
import tempfile
from collections import namedtuple

import pytest

import phpredis
from phpredis import HOSTS, Use
from support import REPO

T = "timeout=1&read_timeout=1"

# Both understand the same.
SAME = [
    # where it leads
    "tcp://h", "tcp://h?" + T, "tcp://h:7000", "tcp://h:7000?" + T, "tcp://h:7000/?" + T, "tcp://h/?" + T, "tcp://h:0",
    "tcp://h:", "tcp://h:?" + T, "tcp://h:80x", "tcp://h:+80", "tcp://h:080", "tcp://h:00080", "tcp://h:65535",
    "tcp://h:1", "h", "h:7000", "h:7000/", "h?" + T, "h:7000/?" + T, "//h", "//h:7000", "//h:7000?" + T, "//h?" + T,
    "tcp://my_redis", "tcp://my_redis:7000?" + T, "my_redis", "my_redis?" + T, "my_redis:7000", "tcp://H", "H:7000",
    "tcp://a.b-c.example:7001?" + T, "a.b-c.example", "a.b-c.example:7001", "127.0.1.2", "127.0.1.2:7000",
    "tcp://127.0.1.2:7000?" + T, "127.0.1.2?" + T, "tcp://[h]", "tcp://[h]:7000?" + T, "tcp://[127.0.1.2]:7000",
    "tcp:h", "tcp:h?" + T, "tcp://h:7000/2?" + T, "tcp://h/2", "tcp://h:7000/a/b/c", "tcp://h#x",
    "tcp://h:7000#database=2", "tcp://h?#", "tcp://h?", "tcp://h:7000?",
    # IPv6
    "tcp://::1:7000", "tcp://::1:6379?" + T, "tcp://fd00::5:7001?" + T, "::1", "tcp://0:0:0:0:0:0:0:1:80",
    # unix sockets
    "/run/s", "/run/s?" + T, "unix:/run/s", "unix:/run/s?" + T, "unix:///run/s", "unix:///run/s?" + T, "file:///run/s",
    "file:/run/s", "FILE:///run/s", "unix:///run/redis/redis.sock?database=3&" + T, "/run/under_score.sock?auth=pw",
    "unix:///run/s?auth[]=u&auth[]=p&prefix=P:",
    # TLS
    "tls://h", "tls://h:7000?" + T, "ssl://h:7001", "ssl://h?database=1&" + T, "tlsv1.2://h?" + T, "tls://127.0.1.1",
    "tls://a.b-c.example:443?auth=pw&" + T, "tlsv1.3://i",
    # lists, and who gets which session
    "tcp://h,tcp://i", "tcp://h tcp://i", "tcp://h\ttcp://i\r\ntcp://j", ",, tcp://h ,", "h,i", "h:7000,i:7001",
    "//h,//i", "tcp://h?weight=2,tcp://i", "tcp://h,tcp://i?weight=3",
    "tcp://h?weight=2,tcp://i?weight=3,tcp://j?weight=4", "tcp://h?weight=1,tcp://i?weight=1,tcp://j?weight=1",
    "tcp://h,tcp://h:7000,tcp://h:7001", "tcp://h?weight=100,tcp://i", "tcp://h,/run/s",
    "/run/s,tcp://h:7000?database=2,tls://i?auth=pw", "tcp://h?weight=1.9,tcp://i?weight=2.1",
    "tcp://h?weight=4294967297,tcp://i", "tcp://h?weight[]=7,tcp://i", "tcp://h?prefix=a,tcp://i?prefix=b",
    "tcp://h?database=1,tcp://i?database=2", "tcp://h?auth=one,tcp://i?auth=two", "tcp://h,h,//h",
    "tcp://h?weight=+3,tcp://i", "tcp://h?weight=%203,tcp://i", "tcp://h?weight=1e1,tcp://i",
    "tcp://h?weight=2&weight=5,tcp://i",
    # logging in
    "tcp://h?auth=pw", "tcp://h?auth[]=pw", "tcp://h?auth[]=u&auth[]=pw", "tcp://h?auth[user]=u&auth[pass]=pw",
    "tcp://h?auth[pass]=pw&auth[user]=u", "tcp://h?auth[1]=pw&auth[0]=u", "tcp://h?auth[pass]=pw", "tcp://h?auth[0]=pw",
    "tcp://h?auth[1]=pw", "tcp://h?auth[user]=u", "tcp://h?auth[user]=u&auth[password]=pw",
    "tcp://h?auth[username]=u&auth[pass]=pw", "tcp://h?auth[]=u&auth[pass]=pw", "tcp://h?auth[]=a&auth[]=b&auth[]=c",
    "tcp://h?auth=x&auth[]=pw", "tcp://h?auth[]=x&auth=pw", "tcp://h?auth[5]=x&auth[]=pw", "tcp://h?auth[][x]=pw",
    "tcp://h?auth%5B%5D=u&auth%5B%5D=pw", "tcp://h?auth[]=u&auth[]=", "tcp://h?auth=&" + T, "tcp://h?auth",
    "tcp://h?auth[]", "tcp://h?auth=a+b", "tcp://h?auth=a%2Bb", "tcp://h?auth=a%20b", "tcp://h?auth=a%2Cb",
    "tcp://h?auth=a%26b", "tcp://h?auth=a%25b", "tcp://h?auth=a%zz%", "tcp://h?auth=%70%77", "tcp://h?auth=a#b?c#d",
    "tcp://h?auth=a@b:c/d=e;f", "tcp://h?auth=[x]", "tcp://h?auth=$x{y}", "tcp://h?auth='q'\"r\"",
    "tcp://h?auth=a\x01b", "tcp://h?auth=a%01b", "tcp://h?auth=pw&rest", "tcp://h?auth=p=w==", "tcp://h?auth=0",
    "tcp://h?auth=\xe4%C3%A4", "tcp://h?Auth=pw", "tcp://h?password=pw", "tcp://u:pw@h", "tcp://pw@h:7000",
    "tcp://:pw@h?" + T, "tcp://u:pw@h?auth=other", "tcp://u@v@h:7000", "//u:pw@h:7000", "tcp://h?auth[0]=u&auth[0]=pw",
    "tcp://h?auth[a]=u&auth[b]=pw", "tcp://h?auth[00]=pw", "tcp://h?auth[-1]=pw", "tcp://h?auth[+]=pw",
    "tcp://h?auth.=pw", "tcp://h?auth[=pw",
    # database
    "tcp://h?database=0", "tcp://h?database=2", "tcp://h?database=15", "tcp://h?database=99", "tcp://h?database=-1",
    "tcp://h?database=-7", "tcp://h?database=abc", "tcp://h?database=", "tcp://h?database", "tcp://h?database=2x",
    "tcp://h?database=1e1", "tcp://h?database=2.9", "tcp://h?database=0x10", "tcp://h?database=010",
    "tcp://h?database=+3", "tcp://h?database=%203", "tcp://h?database=3%20", "tcp://h?database=4294967298",
    "tcp://h?database=9223372036854775808", "tcp://h?database=-9223372036854775809", "tcp://h?database=1e400",
    "tcp://h?database=.5", "tcp://h?database=2147483648", "tcp://h?database[]=7", "tcp://h?database[x]=7&database=3",
    "tcp://h?database=3&database[]=7", "tcp://h?database=1&database=2", "tcp://h?db=2", "tcp://h?Database=2",
    "tcp://h?dbindex=2", "tcp://h?database%3D=2", "tcp://h?data%62ase=4", "tcp://h?+database=2",
    "tcp://h?%20database=2", "tcp://h?database+=2", "tcp://h?database.=2", "tcp://h?&&database=2&&",
    "tcp://h?database=2&", "tcp://h?;database=2", "tcp://h?x=1;database=2", "tcp://h?=2&database=3",
    "tcp://h?database==2", "tcp://h?x#&database=2", "tcp://h?database=2#", "tcp://h?database=1#2",
    # prefix
    "tcp://h?prefix=app:", "tcp://h?prefix=", "tcp://h?prefix", "tcp://h?prefix=a:b%3A", "tcp://h?prefix[]=x",
    "tcp://h?prefix=a+b", "tcp://h?prefix={tag}", "tcp://h?prefix=a#b", "tcp://h?prefix=a/b?c",
    "tcp://h?prefix=x&prefix=y", "tcp://h?Prefix=x", "tcp://h?prefix=%C3%A4", "tcp://h?prefix=0",
    "tcp://h?prefix=a[b]c", "tcp://h?prefix[a][b]=c&prefix=d",
    # timeouts, persistence, strangers
    "tcp://h?timeout=.5&read_timeout=25e-1", "tcp://h?timeout=1e1", "tcp://h?timeout=250ms", "tcp://h?read_timeout=0",
    "tcp://h?read_timeout=-1", "tcp://h?read_timeout=x", "tcp://h?timeout[]=9", "tcp://h?read.timeout=1",
    "tcp://h?read[timeout=1", "tcp://h?retry_interval=100&" + T, "tcp://h:7000?persistent=1",
    "tcp://h:7001?persistent=true&database=3", "tcp://i:7000?persistent=YES&auth=pw", "tcp://i:7001?persistent=on",
    "tcp://j:7000?persistent=1&persistent_id=x", "/run/s?persistent=1", "tcp://h?colour=red",
    "tcp://h?stream[verify_peer]=0", "tls://h?stream[verify_peer]=0&" + T, "tcp://h?stream=x",
    "tcp://h?failover=error&database=2", "tcp://h?seed[]=i:7000",
]

# The reader refuses, and phpredis has no session to show: {save path: a part of the reader's sentence}.
NO_SESSION = {
    "": "is empty", " , ": "is empty", "tcp://h:65536": "no URL", "tcp://h:100000": "no URL", "tcp://h:-1": "no URL",
    "tcp://h:x": "no URL", "tcp:///h": "no URL", "tcp://": "no URL", ":": "no URL", "://h": "part of the host",
    "tcp:": "names no host", "?database=2": "names no host", "/run/s:1": "no URL", "tcp://:7000": "no URL",
    "//": "no URL", "TCP://h:7000": "no transport", "redis://h": "no transport", "redis://h:7000/2": "no transport",
    "rediss://h:7000": "no transport", "http://h": "no transport", "udp://h?read_timeout=.1": "no transport",
    "unix://h": "three slashes", "tlsv1.9://h": "no transport", "TLS://h": "no transport",
    "unix://run/s": "three slashes", "unix:run/s": "scheme without //", "my_redis:7000?database=2": "colon in its name",
    "h/2": "part of the host", "[::1]:7000": "IPv6", "[::1]": "IPv6", "tcp://h*:7000": "characters",
    "tcp://h%41": "characters", "tcp://h;tcp://i": "';'", "tcp://h:7000;tcp://i": "';'", "tcp://h?timeout=0": "timeout",
    "tcp://h?timeout=-1": "timeout", "tcp://h?timeout=x": "timeout", "tcp://h?timeout=": "timeout",
    "tcp://h?weight=0": "weight", "tcp://h?weight=-1": "weight", "tcp://h?weight=x": "weight",
    "tcp://h?weight=": "weight", "tcp://h?weight=4294967296": "weight", "tcp://h,tcp://i?weight=0": "part 2",
    "seed[]=h:7000&seed[]=i:7000": "rediscluster", "fd00::5": "scheme without //", "fd00::5?" + T: "scheme without //",
    "tcp://[]:7000": "characters", "tcp://[[h]]": "characters", "u:pw@h:7000?database=2": "scheme without //",
    "tcp://h,http://i": "part 2", "http://h,tcp://h:-1": "part 1", "/run/s&auth=pw": "no ? between",
    "unix:///run/s?weight=0": "weight", "tcp:/h": "one slash",
}

# The reader refuses because phpredis goes where nobody can have meant, or because we cannot hold what it sends:
# {save path: (a part of that sentence, the uses of all sessions, without their ids)}.
P = "PHPREDIS_SESSION:"
AT_H = Use("tcp 127.0.1.1:6379", None, None, P)
MISREAD = {
    "h:63?database=2": ("host named '63'", {Use("tcp 0.0.0.63:6379", None, 2, P)}),
    "redis:6379?auth=pw": ("host named '6379'", {Use("tcp 0.0.24.235:6379", ("pw",), None, P)}),
    "redis:7000#x": ("host named '7000'", {Use("tcp 0.0.27.88:6379", None, None, P)}),
    "tcp://6379": ("bare number", {Use("tcp 0.0.24.235:6379", None, None, P)}),
    "6379?database=1": ("bare number", {Use("tcp 0.0.24.235:6379", None, 1, P)}),
    "tls:h": ("scheme without //", {AT_H}),
    "tcp://h/x@i": ("before its @", {AT_H}),
    "tcp://h?auth=one,pw": ("%2C", {AT_H._replace(login=("one",)), AT_H._replace(endpoint="tcp 127.0.1.8:6379")}),
    "tcp://h?auth=one pw": ("%20", {AT_H._replace(login=("one",)), AT_H._replace(endpoint="tcp 127.0.1.8:6379")}),
    "tcp://h?auth[]=&auth[]=pw": ("empty user", {AT_H._replace(login=("", "pw"))}),
    "tcp://h?auth=pw%00x": ("%00", {AT_H._replace(login=("pw\0x",))}),
    "tcp://h?database=1%002": ("%00", {AT_H._replace(database=1)}),
}

# The handler rediscluster: both understand the same; the seeds are asked in any order.
CLUSTER_SAME = [
    "seed[]=h:7000", "seed[]=h:7000&" + T, "seed[]=h:7000&seed[]=i:7001&" + T,
    "seed[]=h:7000&seed[]=i:7001&seed[]=j:7002", "seed[]=127.0.1.2:6379", "seed[0]=h:7000",
    "seed[x]=h:7000&seed[y]=i:7000", "seed[]=h:7000&seed[]=h:7000", "seed%5B%5D=h:7000", "seed[]=h%3A7000",
    "seed[]=my_redis:7000", "seed[]=H:7000", "seed[]=a.b-c.example:80", "seed[]=tcp://h:7000",
    "seed[]=tls://h:7000&" + T, "seed[]=h:7000&auth=pw", "seed[]=h:7000&auth[]=pw", "seed[]=h:7000&auth[]=u&auth[]=pw",
    "seed[]=h:7000&auth[user]=u&auth[pass]=pw", "seed[]=h:7000&auth[user]=u",
    "seed[]=h:7000&auth[]=a&auth[]=b&auth[]=c", "seed[]=h:7000&auth=a%26b", "seed[]=h:7000&auth=a+b",
    "seed[]=h:7000&auth=", "seed[]=h:7000&auth=a#b", "seed[]=h:7000&auth=a?b,c;d", "seed[]=h:7000&prefix=app:",
    "seed[]=h:7000&prefix=", "seed[]=h:7000&prefix[]=x", "seed[]=h:7000&prefix={tag}", "seed[]=h:7000&Prefix=x",
    "seed[]=h:7000&database=2", "seed[]=h:7000&persistent=1", "seed[]=h:7001&failover=error",
    "seed[]=h:7000&failover=distribute", "seed[]=h:7000&colour=red", "seed[]=h:7000&timeout=0",
    "seed[]=h:7000&timeout=x", "seed[]=h:7000&read_timeout=0", "&&seed[]=h:7000&&", "x&seed[]=h:7000",
    "seed[]=h:7000&weight=0", "seed[]=::1:7000", "seed[]=fd00::5:7000", "seed[]=h:80x", "seed[]=h:+80", "seed[]=h:080",
    "seed[]=h:", "seed[]=h:0", "seed[]=h:x", "seed[]=[h]:7000", "prefix=a&seed[]=h:7000&prefix=b",
    "?seed[]=h:7000&seed[]=i:7001",
]

# The reader refuses, and phpredis has no session to show.
CLUSTER_NO_SESSION = {
    "": "no seed", "h:7000": "no seed", "tcp://h:7000": "no seed", "seed=h:7000": "no list", "seed[]=h": "no port",
    "seed[]=": "no port", "seed[]=h:7000&seed=i:7000": "no list", "seed[]=h:7000:7001": "characters",
    "prefix=a&timeout=1": "no seed", "seed[]=h:7000&timeout=-1": "timeout", "seed[]=h:7000&read_timeout=-1": "timeout",
    "seed[]=h:65536": "port that no server has",
}

# What 6.x opens and 5.3 does not; of the handler rediscluster too.
CLUSTER_FROM_6 = ["seed[]=[::1]:7000&" + T]
FROM_6 = ["tcp://[::1]:7000?" + T, "tcp://[::1]", "tcp://[fd00::5]:7001?database=2"]

Store = namedtuple("Store", "kind host port user password auth database prefix weight")
Reading = namedtuple("Reading", "stores sentence refused")


@pytest.fixture(scope="module")
def tool():
    """Our reader as a program."""
    folder = tempfile.mkdtemp(prefix="twinit-")
    sources = [*sorted((REPO / "src" / "session").glob("*.c")), *sorted((REPO / "src" / "util").glob("*.c"))]
    try:
        subprocess.run(["cc", "-O0", "-D_GNU_SOURCE", "-I", REPO / "src", "-o", folder + "/read-savepath",
                        REPO / "tests" / "support" / "read-savepath.c", *sources, "-lhiredis"], check=True)
        yield folder + "/read-savepath"
    finally:
        shutil.rmtree(folder)


def read_all(tool, handler, paths):
    """{save path: Reading}, what our reader makes of each."""
    said = subprocess.run([tool, handler], input=b"".join(path.encode() + b"\0" for path in paths), check=True,
                          stdout=subprocess.PIPE).stdout
    words = iter(said.decode("latin-1").split("\0"))
    return {path: read_one(words) for path in paths}


@pytest.fixture(scope="module")
def reading(tool):
    """{save path of the handler redis: Reading}."""
    return read_all(tool, "redis", [*SAME, *NO_SESSION, *MISREAD, *FROM_6])


@pytest.fixture(scope="module")
def cluster_reading(tool):
    """{save path of the handler rediscluster: Reading}."""
    return read_all(tool, "rediscluster", [*CLUSTER_SAME, *CLUSTER_NO_SESSION, *CLUSTER_FROM_6])


def read_one(words):
    """The next Reading; see tests/support/read-savepath.c."""
    stores = []
    for word in words:
        if word != "store":
            return Reading(stores, next(words), word == "refused")
        fields = Store(*(next(words) for _ in Store._fields))
        stores.append(fields._replace(port=int(fields.port), database=int(fields.database), weight=int(fields.weight)))
    raise AssertionError("the reader ended early")


@pytest.fixture(scope="module")
def seen():
    """{save path: what phpredis did with each session id}."""
    paths = [*SAME, *NO_SESSION, *MISREAD, *FROM_6]
    return dict(zip(paths, phpredis.look("redis", paths)))


@pytest.fixture(scope="module")
def cluster_seen():
    """The same of the handler rediscluster."""
    paths = [*CLUSTER_SAME, *CLUSTER_NO_SESSION, *CLUSTER_FROM_6]
    return dict(zip(paths, phpredis.look("rediscluster", paths)))


def chosen(stores, sid):
    """The store that phpredis keeps a session in: the last of the list is counted first."""
    position = int.from_bytes(sid[:4].encode(), "little") % sum(store.weight for store in stores)
    for store in reversed(stores):
        position -= store.weight
        if position < 0:
            return store
    raise AssertionError("not reached")


def endpoint_of(store):
    """As the recorder names it."""
    if store.kind == "unix":
        return "unix " + store.host
    host = HOSTS.get(store.host.lower(), store.host.replace("0:0:0:0:0:0:0:1", "::1"))
    return "%s %s:%d" % (store.kind, host, store.port)


def login_of(store):
    """The words after AUTH, or None."""
    if store.auth == "none":
        return None
    return (store.user, store.password) if store.user else (store.password,)


def use_of(stores, sid):
    """What the reader says that phpredis will do with a session."""
    store = chosen(stores, sid)
    return Use(endpoint_of(store), login_of(store), store.database if store.database >= 0 else None, store.prefix + sid)


def test_the_table_is_long_enough_and_says_nothing_twice():
    paths = [*SAME, *NO_SESSION, *MISREAD, *FROM_6]
    assert len(paths) >= 150
    assert len(set(paths)) == len(paths), [path for path in set(paths) if paths.count(path) > 1]


@pytest.mark.parametrize("path", SAME)
def test_the_reader_names_the_store_login_database_and_key_of_phpredis(path, reading, seen):
    read = reading[path]
    assert not read.refused, read.sentence
    said = {one.id: use_of(read.stores, one.id) for one in seen[path]}
    did = {one.id: one.uses for one in seen[path]}
    assert did == {sid: {use} for sid, use in said.items()}, [one.said for one in seen[path]]


@pytest.mark.parametrize("path", NO_SESSION)
def test_what_the_reader_refuses_has_no_session_in_phpredis(path, reading, seen):
    assert reading[path].refused
    assert NO_SESSION[path] in reading[path].sentence
    failed = [one for one in seen[path] if not one.uses]
    assert failed, "phpredis kept every session: %r" % [one.uses for one in seen[path]]
    assert all(one.said for one in failed)


@pytest.mark.parametrize("path", MISREAD)
def test_what_the_reader_refuses_as_misread_is_misread_by_phpredis(path, reading, seen):
    sentence, uses = MISREAD[path]
    assert reading[path].refused
    assert sentence in reading[path].sentence
    assert "pw" not in reading[path].sentence
    did = {use._replace(key=use.key.removesuffix(one.id)) for one in seen[path] for use in one.uses}
    assert did == uses, [one.said for one in seen[path]]


@pytest.mark.parametrize("path", FROM_6)
def test_brackets_around_an_address_are_read_and_warned_of_because_5_3_cannot_connect(path, reading, seen):
    assert not reading[path].refused
    assert "before 6.0" in reading[path].sentence
    assert not any(one.uses for one in seen[path])


@pytest.mark.parametrize("path", CLUSTER_FROM_6)
def test_brackets_around_a_seed_are_warned_of_too(path, cluster_reading, cluster_seen):
    assert not cluster_reading[path].refused
    assert "before 6.0" in cluster_reading[path].sentence
    assert not any(one.uses for one in cluster_seen[path])


def test_the_sessions_of_a_list_go_to_more_than_one_store(seen):
    """Or the rows about weights show nothing."""
    for path in ("tcp://h,tcp://i", "tcp://h?weight=2,tcp://i?weight=3,tcp://j?weight=4"):
        endpoints = {use.endpoint for one in seen[path] for use in one.uses}
        assert len(endpoints) == path.count("tcp://"), path


@pytest.mark.parametrize("path", CLUSTER_SAME)
def test_the_reader_names_the_seeds_login_and_key_of_a_cluster(path, cluster_reading, cluster_seen):
    read = cluster_reading[path]
    assert not read.refused, read.sentence
    seeds = {(endpoint_of(store), login_of(store)) for store in read.stores}
    asked = {one for session in cluster_seen[path] for one in session.asked}
    assert asked and asked <= seeds, [one.said for one in cluster_seen[path]]
    login, prefix = login_of(read.stores[0]), read.stores[0].prefix
    for one in cluster_seen[path]:
        assert {(use.login, use.key) for use in one.uses} == {(login, prefix + one.id)}


@pytest.mark.parametrize("path", CLUSTER_NO_SESSION)
def test_what_the_reader_refuses_of_a_cluster_has_no_session_in_phpredis(path, cluster_reading, cluster_seen):
    assert cluster_reading[path].refused
    assert CLUSTER_NO_SESSION[path] in cluster_reading[path].sentence
    assert not any(one.uses for one in cluster_seen[path])
    assert all(one.said for one in cluster_seen[path])
