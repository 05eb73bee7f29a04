"""One table of all commands: what each says and with which exit status when it works, when it is refused, when there is
no such app, when no twinit runs, and when it is somebody else's.
"""

import json
import re
import subprocess
from collections import namedtuple

import pytest

from container import INFO, PATIENCE, binary
from test_check import SERVER
from test_help import names

NOBODY = 65534
# Where no twinit has been.
EMPTY = ["unshare", "--mount", "sh", "-ec",
         'mount -n -t tmpfs none /run; mount -n -t tmpfs none /dev/shm; exec "$@"', "sh"]


def nothing(_):
    """Needs no preparation."""


def stopped(c):
    """One replica."""
    assert c.tell("stop", "www", "2")[0] == 0


def all_stopped(c):
    """Both replicas."""
    assert c.tell("stop", "--force", "all")[0] == 0


def no_release(c):
    """A deployer has made a mistake."""
    c.deploy("none")


def one_before(c):
    """A release before this one is known."""
    assert c.tell("deploy", "2")[0] == 0


def rolls(c):
    """A roll is under way, until that request ends."""
    c.slow = c.begin()
    c.signal("HUP")
    c.log.wait("draining release 1 ... 1 request")


def well(c):
    """A PHP that `check` has nothing to say against."""
    c.write("info", INFO % (c.directory, "files", "files", "no value", "no value") + SERVER)
    c.write_dump(pm="static", **{"pm.max_children": 8})


# The words, the exit status, what is said (a pattern, or keys of JSON), what was done before, options of the container.
Case = namedtuple("Case", "words status says before options", defaults=(nothing, {}))
# None: there is no such case.
Row = namedtuple("Row", "works json refused no_app no_twinit nobody")


def answers_only_root(words):
    """Somebody else's order is refused."""
    return Case(words, 1, r"^twinit: the twinit in {run_dir} answers only root, not user %d\n$" % NOBODY)


def finds_nobody(words):
    """There is none, and it says where it looked."""
    return Case(words, 1, r"^twinit: no running twinit at {where} \(nobody is there\); set TWINIT_RUN_DIR to its "
                          r"run_dir if it is elsewhere\n$")


def no_such_app(words):
    """There is one called www only."""
    return Case(words, 64, r"^twinit: no app is called 'shop'; see twinit status\n$")


def row(words, says, before=nothing, json_keys=None, refused=None, app=None):
    """The row of a command that asks the running twinit; `words` name the one that works."""
    name = words.split()[0]
    return Row(Case(words, 0, says, before), Case(name + " --json", 0, json_keys) if json_keys else None, refused,
               no_such_app(app) if app else None, finds_nobody(words), answers_only_root(words))


ROLLING = r"^twinit: www: a roll is under way, see twinit status; ask again when it is over\n$"
FCGI = "fcgi --replica www/1 /twinit-ping"

TABLE = {
    "run": Row(None, None, Case("run", 78, "a twinit runs already in {run_dir}; see `twinit help`"), None, None,
               Case("run", 78, "^twinit: error: cannot use run_dir {run_dir}: Permission denied\n$")),
    "status": row("status", r"(?ms)^twinit \S+, pid 1, .*: running, healthy\n.*^www/1 +ready .*^www/2 +ready ",
                  json_keys={"healthy", "phase", "apps"}, app="status shop",
                  refused=Case("status -q www 2", 1, "^$", stopped)),
    "list": row("list", r"^www/1 ready release 1, pid \d+\nwww/2 ready release 1, pid \d+\n$", json_keys={0, 1}),
    "ps": row("ps", r"(?s)^PID .* 1 twinit .*www/1 .*www/2 ",
              refused=Case("ps", 1, "in another PID namespace")),
    "metrics": row("metrics", r"(?m)^twinit_healthy 1$"),
    "deploy": row("deploy 2", r"release 2 is active on 2 replicas", app="deploy 2 shop",
                  refused=Case("deploy nowhere", 1, r"deploy refused, nothing was touched: .*: No such file")),
    "rollback": row("rollback", r"release 1 is active on 2 replicas", one_before, app="rollback shop",
                    refused=Case("rollback", 1, "no release before this one is known")),
    "restart": row("restart", r"release 1 is active on 2 replicas", app="restart shop",
                   refused=Case("restart", 1, "roll refused, nothing was touched: .* does not exist", no_release)),
    "start": row("start", r"starting replica 2 on lane A ... ready", stopped, app="start shop",
                 refused=Case("start", 1, ROLLING, rolls)),
    "stop": row("stop www 2", r"^www: stopping replica 2 ... stopped\n$", app="stop shop",
                refused=Case("stop www", 1, "nobody would be left who serves it; --force stops it all the same")),
    "health": row("health", "^healthy\n$",
                  refused=Case("health", 1, "^unhealthy: www: its replicas were stopped", all_stopped)),
    "sessions": row("sessions", "^www: not asked: .*'files', not in Redis\n$", json_keys={"apps"}, app="sessions shop",
                    refused=Case("sessions", 1, "www: failed: connect: .* Connection refused",
                                 options={"sessions": ("redis", "tcp://127.0.0.1:1")})),
    # The warning: it is asked from outside of twinit's PID namespace.
    "check": Row(Case("check", 0, r" ok, 1 warning, 0 problems\n$", well),
                 Case("check --json", 0, {"ok", "warnings", "problems", "findings"}, well),
                 Case("check", 1, r"(?s)problem  release: www: .* problems?\n$", no_release), None,
                 Case("check", 0, "none runs here", well),
                 Case("check", 0, "this check runs as user %d" % NOBODY, well)),
    "fcgi": row(FCGI, "^pong$",
                refused=Case("fcgi --replica www/2 /", 1, "there is no replica www/2 that serves", stopped)),
    "version": Row(Case("version", 0, r"^twinit \d+\.\d+\.\d+\n$"), None,
                   Case("version --json", 64, "takes no argument"), None,
                   Case("version", 0, r"^twinit \d"), Case("version", 0, r"^twinit \d")),
    "help": Row(Case("help", 0, "^twinit - PID 1 of "), None, Case("help nonsense", 64, "no such command"), None,
                Case("help", 0, "^twinit - PID 1 of "), Case("help", 0, "^twinit - PID 1 of ")),
}
# Its statuses are curl's.
TABLE["fcgi"] = TABLE["fcgi"]._replace(no_app=Case("fcgi --replica shop/1 /", 1, "no app is called 'shop'"))


def cases(column):
    """The cases of a column, to be parameters."""
    return [pytest.param(getattr(line, column), id=name) for name, line in TABLE.items() if getattr(line, column)]


def give(c, case, before=(), env=None, **options):
    """Runs the words of a case, after what leads to it; what it should be, it is."""
    done = subprocess.run([*before, str(binary()), *case.words.split()], env=env or c.environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=PATIENCE, check=False, **options)
    assert done.returncode == case.status, done
    if isinstance(case.says, set):
        found = json.loads(done.stdout)
        assert case.says <= set(found if isinstance(found, dict) else range(len(found))) and not done.stderr, done
    else:
        where = c.environment["TWINIT_RUN_DIR"] if env is None else "/run/twinit, /dev/shm/twinit or /tmp/twinit"
        says = case.says.replace("{run_dir}", str(c.run_dir)).replace("{where}", where)
        assert re.search(says, done.stdout + done.stderr), "expected %r of %r" % (says, done)
    return done


def prepared(make, case):
    """A container that runs, and for which it is as the case wants it."""
    c = make(**case.options)
    c.environment["TWINIT_SESSIONS_VERIFY"] = "report"
    c.boot()
    case.before(c)
    return c


def test_each_command_has_a_row():
    assert list(TABLE) == names()


@pytest.mark.parametrize("case", cases("works"))
def test_what_works_is_status_0_and_not_on_stderr(make, case):
    c = prepared(make, case)
    inside = ["nsenter", "--target", str(c.pid), "--pid", "--mount"] if case.words == "ps" else []
    assert give(c, case, inside).stderr == ""


@pytest.mark.parametrize("case", cases("json"))
def test_what_is_for_scripts_is_json_and_nothing_else(make, case):
    give(prepared(make, case), case)


@pytest.mark.parametrize("case", cases("refused"))
def test_what_is_refused_is_no_status_0_and_says_why(make, case):
    c = prepared(make, case)
    give(c, case)
    assert case.before is all_stopped or c.release() == "1"


@pytest.mark.parametrize("case", cases("no_app"))
def test_an_app_that_there_is_not_is_named(make, case):
    assert give(prepared(make, case), case).stdout == ""


def test_a_name_too_long_for_an_app_is_one_that_there_is_not(boot):
    c = boot()
    for words in ("status", "status -q", "deploy 2", "rollback", "restart", "start", "stop", "sessions"):
        code, text = c.tell(*words.split(), "x" * 64)
        assert (code, text) == (64, "twinit: no app has so long a name: %s\n" % ("x" * 64)), (words, code, text)


@pytest.mark.parametrize("case", cases("no_twinit"))
def test_without_a_twinit_it_says_where_it_looked(make, case):
    c = make()
    if case.before is well:
        well(c)
    give(c, case, EMPTY)
    del (env := dict(c.environment))["TWINIT_RUN_DIR"]
    give(c, case, EMPTY, env)


@pytest.mark.parametrize("case", cases("nobody"))
def test_somebody_without_rights_changes_nothing(make, case):
    c = prepared(make, case)
    give(c, case, user=NOBODY, group=NOBODY, extra_groups=[])
    assert c.tell("health") == (0, "healthy\n") and c.release() == "1" and c.app()["rolls"] == 0
