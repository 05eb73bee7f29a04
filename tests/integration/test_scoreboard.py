"""`twinit status --json` of a real stack is what doc/status.md says, and true while all workers are busy."""

import json
import re
import subprocess
from pathlib import Path

from clients import Later, fpm_post
from rolling import give
from support import QUICK_STOP

REPO = Path(__file__).resolve().parents[2]


def leaves(value, path=""):
    """The paths of all values in what JSON said: "apps[].masters[].pid"."""
    if isinstance(value, dict):
        return {leaf for key, inner in value.items() for leaf in leaves(inner, path + "." + key if path else key)}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {leaf for inner in value for leaf in leaves(inner, path + "[]")}
    return {path}


def documented():
    """The paths in the table of doc/status.md."""
    return set(re.findall(r"^\| `([^`]+)` \|", (REPO / "doc" / "status.md").read_text(), re.M))


def inside(site, *words):
    """What a command says in the container's PID namespace."""
    done = subprocess.run(["nsenter", "--target", str(site.task.pid), "--pid", "--mount", str(site.binary), *words],
                          env={"TWINIT_RUN_DIR": str(site.task.run_dir)}, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def test_each_field_is_documented_and_each_documented_field_is_there(site):
    assert give(site, "restart")[0] == 0
    seen = leaves(site.task.status_json())
    assert seen - documented() == set(), "not in doc/status.md"
    assert documented() - seen == set(), "in doc/status.md only"


def test_what_fpm_counts_is_seen_while_every_worker_is_busy(make_site):
    site = make_site(env=QUICK_STOP, pool={"pm": "static", "pm.max_children": 4})
    naps = [Later(lambda: fpm_post(site.task.address, "/nap.php?ms=4000")) for _ in range(4)]
    site.wait_busy(4)
    status = inside(site, "status", "--json")
    app = json.loads(status)["apps"][0]
    assert (app["workers"]["active"], app["workers"]["idle"]) == (4, 0), app["workers"]
    assert app["workers"]["accepted"] >= 4 and app["workers"]["max_active"] >= 4, app["workers"]
    for master in app["masters"]:
        assert master["answers"] and master["workers"]["active"] == 2, master
        # its workers, and those of the pools that are ours
        assert master["memory_bytes"] > 1 << 20 and master["processes"] > 3, master
    for nap in naps:
        assert nap.record(60).failure is None


def test_requests_are_counted(site):
    before = site.app()["workers"]["accepted"]
    for _ in range(20):
        fpm_post(site.task.address, "/ping.php")
    assert site.app()["workers"]["accepted"] == before + 20
