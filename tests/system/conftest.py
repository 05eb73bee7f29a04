"""Fixtures of the system tier: the real binary with stub masters. Needs root, for namespaces.

A test marked `slow` mostly waits for time limits of twinit. It takes no fixture; all of them run side by
side, from the beginning, and each is asked for its result when its turn comes.
"""

import concurrent.futures
import os
import shutil
import subprocess

import pytest

import container as machinery

FAILED = pytest.StashKey()
RESULT = pytest.StashKey()


def pytest_configure(config):
    """Nothing here works without the binary and root."""
    config.addinivalue_line("markers", "slow: waits for seconds; runs beside the others")
    if os.geteuid() != 0:
        pytest.exit("the system tier needs root, for namespaces", 1)
    if not machinery.BUILT.exists():
        pytest.exit("%s does not exist: `make build` makes it" % machinery.BUILT, 1)


@pytest.fixture(scope="session", autouse=True)
def _programs(request):
    """The programs are there while tests run, and the slow tests have begun."""
    folder = machinery.programs()
    slow = [item for item in request.session.items if item.get_closest_marker("slow")]
    with concurrent.futures.ThreadPoolExecutor(max(1, len(slow))) as pool:
        for item in slow:
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            item.stash[RESULT] = pool.submit(item.obj, **parameters)
        yield
    shutil.rmtree(folder)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """A slow test has begun long ago."""
    if RESULT not in pyfuncitem.stash:
        return None
    pyfuncitem.stash[RESULT].result()
    return True


@pytest.fixture
def make(request):
    """make(replicas=3, ...) is a Container that is cleaned up, and whose log is shown when the test fails."""
    made = []

    def new(**options):
        made.append(machinery.Container(**options))
        return made[-1]

    yield new
    for one in made:
        if request.node.stash.get(FAILED, False):
            print(one.story())
        one.__exit__(None, None)


@pytest.fixture
def boot(make):
    """boot(replicas=3, ...) is a Container that is ready."""
    return lambda **options: make(**options).boot()


@pytest.fixture
def command():
    """command(container, "deploy", "2") runs in the background; it does not outlive the test."""
    begun = []

    def new(c, *words):
        begun.append(subprocess.Popen([str(machinery.binary()), *words], env=c.environment, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        return begun[-1]

    yield new
    for one in begun:
        one.kill()
        one.communicate()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Remembers failures for make(), and shows the log of what failed elsewhere."""
    outcome = yield
    if outcome.get_result().failed:
        item.stash[FAILED] = True
        if call.excinfo and hasattr(call.excinfo.value, "container"):
            outcome.get_result().sections.append(("container", call.excinfo.value.container))
