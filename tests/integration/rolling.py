"""What the tests of bad releases, deploys and ways back have in common: load, releases that are changed, and P2."""

import os

from clients import Crowd, Later, fpm_post, post, release_of_check
from support import QUICK_STOP, SECONDS, wait_until

# Visitors ask for check.php, so a release can be ill and yet answer them: whoever lets it through is caught.
HEALTH = "ping.php"
GATED = {"TWINIT_APP_HEALTH": "/" + HEALTH, **QUICK_STOP}


def asks(site):
    """Requests through nginx and straight to FPM, which take a moment; their answers are numbers of releases."""
    path = "/check.php?stay=4"
    return [lambda: release_of_check(post(site.port, path)),
            lambda: release_of_check(fpm_post(site.task.address, path))]


def load(site, count=4):
    """A Crowd that asks both ways."""
    return Crowd(count, *asks(site))


def link(site):
    """What the release symlink says."""
    return os.readlink(site.directory / "app" / "current")


def page(site, release, name):
    """The path from outside of a page of a release."""
    return site.directory / "app" / "releases" / str(release) / "public" / name


def order(site, *words):
    """`twinit WORDS...` in a thread of its own; finished(order) waits for it."""
    return Later(lambda: site.task.twinit(*words))


def finished(later):
    """(exit status, everything it said) of an order."""
    record = later.record(120)
    assert record.failure is None, record.failure
    return record.answer.returncode, record.answer.stdout + record.answer.stderr


def give(site, *words):
    """The same of an order that is given and waited for."""
    return finished(order(site, *words))


def wait_phase(site, phase):
    """Waits until a roll is there; returns the app's part of the status."""
    return wait_until("the roll is in phase %s" % phase, SECONDS, site.app, lambda app: app["roll"] == phase)


def assert_answered(crowd):
    """Every request was accepted and got the whole right answer."""
    bad = crowd.failures() + crowd.refused()
    assert not bad, "%d of %d failed, the first: %r" % (len(bad), len(crowd.records), bad[0])


def releases_of(crowd):
    """Whose answers came."""
    return {record.answer for record in crowd.records if record.failure is None}


def served_by(records, release):
    """Records that this release answered, or that nobody did: then it is to blame."""
    return [record for record in records if record.failure or record.answer == release]


def too_late(records, left):
    """P2 for a release that was left: its records that were begun after somebody who had asked later than its
    first answer had been served by another release."""
    of_it = served_by(records, left)
    first = min(record.end for record in of_it)
    others = [record.end for record in records if not record.failure and record.answer != left and record.begin > first]
    return [record for record in of_it if record.begin > min(others)]
