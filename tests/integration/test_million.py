"""The benchmark of ten million requests (bench/run million), small: every answer is right while the release changes again and
again, and PID 1 is afterwards what it was."""

import json
import subprocess

from support import REPO, binary

TIMEOUT = 400


def test_no_request_of_many_is_lost(tmp_path):
    """Forty thousand POSTs, a roll a second."""
    file = tmp_path / "figures.json"
    done = subprocess.run([REPO / "bench" / "run", "--quick", "--binary", binary(), "--json", file, "million"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stdout
    seen = {row: cells["seen"] for row, cells in json.loads(file.read_text())["tables"][0]["rows"].items()}
    assert seen["failed"] == "0", done.stdout
    assert int(seen["requests"]) >= 40000, done.stdout
    assert int(seen["rolls done"]) >= 5, done.stdout
    before, after = seen["PID 1: descriptors"].split(", then ")
    assert after == before, done.stdout
