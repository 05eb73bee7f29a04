"""Fixtures of the integration tests, and what a failure shows."""

import os

import pytest

import support


def pytest_configure():
    """What the caller's shell says about a twinit must not reach those of the tests."""
    for name in [name for name in os.environ if name.startswith("TWINIT_")]:
        del os.environ[name]


@pytest.fixture
def make_site():
    """make_site(**options) starts a Site, after before(site); it is stopped when the test is over."""
    sites = []

    def make(before=None, **options):
        sites.append(support.Site(**options))
        if before is not None:
            before(sites[-1])
        sites[-1].start()
        return sites[-1]

    yield make
    for site in reversed(sites):
        site.end()


@pytest.fixture
def site(make_site):
    """A Site of its own for a test that has no wishes."""
    return make_site(env=support.QUICK_STOP)


@pytest.fixture(params=support.VARIANTS)
def variant(request):
    """The options of a Site for each way in which requests reach PHP and releases are pinned."""
    return support.VARIANTS[request.param]


@pytest.fixture
def cold_site():
    """cold_site(**options): prepared, nothing runs but Redis; for what must not start."""
    sites = []

    def make(redis=True, **options):
        site = support.Site(**options)
        sites.append(site)
        support.running.append(site)
        site.prepare()
        if redis:
            site.start_redis()
        return site

    yield make
    for site in reversed(sites):
        site.end()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Shows what the processes of a failed test said."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for site in support.running:
            report.sections += site.report()
