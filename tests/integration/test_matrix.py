"""Rolls under POST load with every surge, number of replicas, process manager and kind of socket.

Each request is one record, each roll goes to a higher release, and the masters are counted all the time.
ROLLS says how many rolls each cell makes.
"""

import os

import pytest

from clients import Crowd, answers_of_the_past, fpm_post, post, release_of_check
from support import QUICK_STOP, MasterCount

ROLLS = int(os.environ.get("ROLLS", 3))
SIZES = [(replicas, surge) for replicas in (1, 2, 4) for surge in (0, 1, 2) if surge <= replicas]
POOLS = {
    "static": {"pm": "static"},
    "dynamic": {"pm": "dynamic"},
    "ondemand": {"pm": "ondemand", "pm.process_idle_timeout": "1s"},
}


def most_masters(replicas, surge):
    """A single replica is never stopped first, so that a roll of it makes one more whatever the surge."""
    return replicas + max(surge, 1 if replicas == 1 else 0)


def asks(site, how):
    """Through nginx and straight to FPM, short ones and those that most cutovers find under way."""
    paths = ["/check.php?%s=%d" % (how, ms) for ms in (4, 15)]
    return [ask for path in paths for ask in (
        lambda path=path: release_of_check(post(site.port, path)),
        lambda path=path: release_of_check(fpm_post(site.task.address, path)))]


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("pm", POOLS)
@pytest.mark.parametrize("replicas, surge", SIZES, ids=["%d+%d" % size for size in SIZES])
def test_rolls_lose_and_mix_nothing_and_make_no_more_masters_than_the_surge(make_site, replicas, surge, pm, unix,
                                                                            record_property):
    site = make_site(unix=unix, pool=POOLS[pm], env={
        "TWINIT_APP_REPLICAS": str(replicas), "TWINIT_APP_SURGE": str(surge), **QUICK_STOP})
    releases = range(3, 3 + ROLLS)
    for release in releases:
        site.install_release(release)
    # The master that a surge of 0 stops first shares its lane, and its signal may end a nap early.
    how = "stay" if surge == 0 and replicas > 1 else "nap"
    with MasterCount(site.task) as masters, Crowd(8, *asks(site, how)) as crowd:
        crowd.wait_answers(50)
        for release in releases:
            lines = site.roll_to(release)
            assert lines[-1].endswith("0 requests cut)"), lines
            crowd.wait_answer(release)
    print("%d+%d %s %s: %d rolls, %d requests, %d failed, at most %d masters, %d samples, %d rescues" % (
        replicas, surge, pm, "unix" if unix else "tcp", ROLLS, len(crowd.records), len(crowd.failures()),
        masters.most, masters.samples, len(site.lines("starting a rescue master"))))
    record_property("requests", len(crowd.records))
    assert not crowd.failures() and not crowd.refused()
    assert not answers_of_the_past(crowd.records)
    assert {record.answer for record in crowd.records} == {1, *releases}
    app = site.app()
    assert (app["rolls"], app["last_roll"], app["ready"]) == (ROLLS, "done", replicas)
    # Rescue masters do not count; it is not seen from outside which of the masters are some.
    assert masters.most <= most_masters(replicas, surge) + len(site.lines("starting a rescue master"))
    assert masters.most > replicas or surge == 0, "the overlap was not even seen"
