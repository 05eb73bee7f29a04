"""Every privilege level that people run containers with: it starts, rolls under load, and stops.

No request is lost in any of them, PHP has no power, and the isolation is what the table of doc/docker.md promises.
"""

from collections import namedtuple

import pytest

import images
from processes import assert_is_powerless, children, namespace, status_field

ROLLS = 3
# Docker's own set, 0xa80425fb, which only somebody with a capability can take away from PHP.
DOCKER = 0xa80425fb
SYS_ADMIN = ["--cap-drop", "ALL", "--cap-add", "SYS_ADMIN"]
PROFILE = images.REPO / "php-fpm" / "seccomp.json"
STATIC = str(images.HERE / "images" / "static.conf")
CODE = "/srv/app"

LESS_SURGE = "the container's limits leave room for"
USERNS = "namespace (user namespace)"

# `user` is who PHP runs as, `bounding` what is left in the capability bounding set of PHP, `says` a part of the log.
Cell = namedtuple("Cell", "options isolation user bounding command says", defaults=["path", 1000, DOCKER, (), ""])

CELLS = {
    "default": Cell([], says="isolation path; no mount namespace: no CAP_SYS_ADMIN"),
    "sys-admin-root": Cell(["--user", "0:0", "--cap-add", "SYS_ADMIN"], "namespace", 33, 0),
    "sys-admin-user": Cell(["--user", "1000:1000", *SYS_ADMIN], USERNS, 1000, 0),
    "seccomp-profile": Cell(["--cap-drop", "ALL", "--security-opt", "seccomp=%s" % PROFILE], USERNS, 1000, 0),
    "no-new-privileges": Cell(["--security-opt", "no-new-privileges"]),
    "read-only": Cell(["--read-only", "--tmpfs", "/tmp", "--tmpfs", "/run/twinit:uid=1000,mode=0700", "--volume", CODE,
                       *SYS_ADMIN], USERNS, 1000, 0),
    "init": Cell(["--init"]),
    "pids-limit": Cell(["--pids-limit", "72", "--volume", STATIC + ":/srv/php-fpm/pool.d/zz-static.conf:ro"],
                       says=LESS_SURGE),
    "memory": Cell(["--memory", "64m", "--memory-swap", "64m"], says=LESS_SURGE),
    "unknown-user": Cell(["--user", "4242:4242", "--env", "TWINIT_APP_PUBLISH="], user=4242),
    "tty": Cell(["--tty"]),
    "tty-root": Cell(["--tty", "--user", "0:0", "--cap-add", "SYS_ADMIN"], "namespace", 33, 0),
    "stderr-closed": Cell(["--entrypoint", "sh"], command=["-c", "exec twinit 2>&-"]),
}


def processes_of(task):
    """Masters and their workers, as the host sees them."""
    masters = task.masters()
    return masters, [pid for master in masters for pid in children(master)]


def assert_promise(task, cell):
    """Each replica is pinned as the isolation says, and nobody of PHP has power."""
    assert task.app()["isolation"] == cell.isolation
    masters, workers = processes_of(task)
    assert len(masters) == 2 and len(workers) >= 2, (masters, workers)
    own = {namespace(pid, "mnt") for pid in masters}
    shared = namespace(task.twinit, "mnt")
    assert len(own) == 2 and shared not in own if cell.isolation != "path" else own == {shared}
    for pid in [*masters, *workers]:
        assert_is_powerless(pid, cell.user, cell.bounding)
    if "0:0" not in cell.options:
        assert int(status_field(task.twinit, "CapEff"), 16) == 0


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_it_starts_rolls_under_load_and_stops_with_no_request_lost(php, web, cell):
    task = php(cell.options, *cell.command)
    task.wait_healthy()
    web.wait_answer()
    # With surge = 0 the first stop may cut a sleep() short, though no request.
    naps = {"nap_ms": 0, "long_nap_ms": 0} if cell.says == LESS_SURGE else {"nap_ms": 3}
    with web.load(**naps) as load:
        for number in range(1, ROLLS + 1):
            release = 1 + number % 2
            task.current(release)
            task.kill("HUP")
            app = task.wait_rolled(number)
            assert app["last_roll"] == "done", app["last_roll_why"]
            assert app["release"] == str(release) == str(web.check())
        assert_promise(task, cell)
        seen = load.stop()
    assert seen.failed == 0 and seen.requests > 300, seen
    task.stop()
    task.assert_ended_well()
    assert cell.says in task.logs(), task.logs()
    print("%d requests, %d failed" % (seen.requests, seen.failed))
