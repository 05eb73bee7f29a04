"""The Makefile on a machine that has no compiler yet: the first thing that a newcomer does."""

import os
import shutil
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

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
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make", "up", "CC=%s" % compiler, "HOSTCC=%s" % compiler], cwd=tmp_path, env=env,
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
