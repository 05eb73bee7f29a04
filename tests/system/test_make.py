"""The Makefile: on a machine that has no compiler yet, which is the first thing that a newcomer meets; what is built anew."""

import os
import shutil
import subprocess

from container import PATIENCE, REPO

# Of any make: what MAKEFLAGS of an outer one say would be said to this one, too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "BUILD"}

# Says for which machine it is, and takes the place of all that it is asked to compile: a program that prints its arguments.
COMPILER = """#!/bin/sh
[ "$1" != -dumpmachine ] || { echo x86_64-linux-gnu; exit; }
while [ $# -gt 1 ]; do
	if [ "$1" = -o ]; then printf '#!/bin/sh\\necho "$@"\\n' >"$2"; chmod 755 "$2"; fi
	shift
done
"""


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_up_installs_the_compiler_and_then_builds_with_it(tmp_path):
    for name in ("Makefile", "VERSION"):
        shutil.copy(REPO / name, tmp_path)
    for name in ("src", "tests"):
        (tmp_path / name).symlink_to(REPO / name)
    compiler = tmp_path / "bin" / "cc"
    program(tmp_path / "ready-cc", COMPILER)
    program(tmp_path / "tools" / "deps", "#!/bin/sh\necho \"deps $*\"\nmkdir bin && mv ready-cc bin/cc\n")
    program(tmp_path / "tools" / "up", "import os\nprint('up', os.access('build/twinit', os.X_OK))\n")
    done = subprocess.run(["make", "up", "CC=%s" % compiler, "HOSTCC=%s" % compiler], cwd=tmp_path, env=ENVIRONMENT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert lines[0] == "deps --up" and lines[-1] == "up True", "said before and behind it:\n" + done.stdout
    assert not [line for line in lines if line.startswith("make")], "make says something of its own:\n" + done.stdout
    assert (tmp_path / "build" / "gen" / "policies.h").read_text() == "x86_64\n", "whose system calls the filters are for"


def test_up_as_root_in_a_container_that_allows_no_namespaces_says_so(tmp_path):
    program(tmp_path / "unshare", "#!/bin/sh\nexit 1\n")
    program(tmp_path / "sudo", "#!/bin/sh\necho sudo was asked\nexit 3\n")
    env = {**os.environ, "PATH": "%s:%s" % (tmp_path, os.environ["PATH"])}
    done = subprocess.run(["/usr/bin/python3", REPO / "tools" / "up"], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout.startswith("up: root may not make namespaces here"), done.stdout
    assert "--privileged" in done.stdout and "sudo" not in done.stdout


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
