"""Item 3: 100 rolls under load lose nothing. Each request is counted three times: by wrk's script, which
judges every answer, by wrk's own error counters, and by nginx's log."""

import pytest

from clients import Wrk
from support import QUICK_STOP, SECONDS, VARIANTS, wait_until

CONNECTIONS = 64
ROLLS = 100
KINDS = {
    "static": {"pool": {"pm": "static"}, "env": QUICK_STOP},
    "dynamic": {"pool": {"pm": "dynamic"}, "env": QUICK_STOP},
    "ondemand": {"pool": {"pm": "ondemand", "pm.process_idle_timeout": "1s"}, "env": QUICK_STOP},
    "path": VARIANTS["path"],
    "unix": VARIANTS["unix"],
}

# As many requests as this machine can make, or somewhat fewer, of which many are under way at each cutover.
NAP_MS = {"static": 0, "dynamic": 4, "ondemand": 4, "path": 4, "unix": 4}


def log_counts(site):
    """nginx's word: {(status, what php-fpm answered)} -> requests."""
    counts = {}
    for line in (site.directory / "log" / "access.log").read_text().splitlines():
        words = line.split()
        key = (words[1], words[7].strip("[]"))
        counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.parametrize("kind", KINDS)
def test_100_rolls_under_load_lose_nothing(make_site, kind, record_property):
    site = make_site(**KINDS[kind])
    with Wrk(site.port, CONNECTIONS, nap_ms=NAP_MS[kind]) as load:
        for roll in range(ROLLS):
            lines = site.roll_to(2 - roll % 2)
            assert lines[-1].endswith("0 requests cut)"), lines
        counts = load.stop()
    record_property("requests", counts.requests)
    record_property("longest_ms", counts.longest_ms)
    print(counts)
    assert counts.failed == 0, counts
    assert counts.requests > ROLLS * CONNECTIONS
    app = site.app()
    assert (app["rolls"], app["last_roll"], app["ready"]) == (ROLLS, "done", 2)
    assert "POST" in (site.directory / "log" / "access.log").open().readline()

    # What wrk left unfinished when it ended is a 499, and the log is written with a delay.
    logged = wait_until("nginx has logged all", SECONDS, lambda: log_counts(site),
                        lambda seen: seen.get(("200", "200"), 0) >= counts.requests)
    unfinished = sum(count for (status, _), count in logged.items() if status == "499")
    assert unfinished <= CONNECTIONS
    assert set(logged) <= {("200", "200"), ("499", "-"), ("499", "200")}, logged
    assert logged["200", "200"] <= counts.requests + CONNECTIONS
    assert not [line for line in site.nginx.since() if "[error]" in line or "[crit]" in line]
