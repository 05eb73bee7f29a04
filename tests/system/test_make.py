"""What `make` builds anew."""

import os
import subprocess

from container import PATIENCE, REPO

# Of any make: what MAKEFLAGS of an outer one say would be said to this one, too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "BUILD"}


def policies(build, extra):
    """The syscall filters, as make writes them for these further calls, and when it did."""
    path = build / "gen" / "policies.h"
    subprocess.run(["make", "--no-print-directory", str(path), "BUILD=%s" % build, "POLICY_EXTRA=%s" % extra], cwd=REPO,
                   stdin=subprocess.DEVNULL, timeout=4 * PATIENCE, env=ENVIRONMENT, check=True)
    return path.read_text(), path.stat().st_mtime_ns


def test_filters_are_made_anew_when_other_calls_are_wanted_and_only_then(tmp_path):
    plain, at = policies(tmp_path, "")
    assert policies(tmp_path, "") == (plain, at), "made again, though nothing is new"
    more, _ = policies(tmp_path, "sigaltstack tgkill")
    assert more != plain, "POLICY_EXTRA has changed, the filters have not"
    assert policies(tmp_path, "")[0] == plain, "POLICY_EXTRA is empty again"
