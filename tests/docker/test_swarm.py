"""docker-compose.yml in Swarm: `docker stack deploy`, two php tasks of two masters each.

nginx tries nothing twice here: Swarm takes a task out of its DNS two seconds before the task is stopped, nginx asks
every second, and twinit answers for `quiet` longer, so no request meets a task that is gone.

Two stacks: one whose Redis is away for two minutes, and one for what goes on meanwhile. The first tests here are the
first of all and the last the last, so that other tests fill those minutes.
"""

import time

import pytest

import engine
import images
import projects
from clients import Crowd, Visitor, post, release_of_check
from waiting import wait_until

PORT = 80
AWAY_SECONDS = 120


@pytest.fixture(scope="session")
def swarm(docker, ready):
    """stack(name) deploys the file; removed afterwards."""
    made = []
    with engine.swarm(docker), projects.override(ready) as override:
        def deploy(name):
            stack = projects.Stack(docker, images.named(ready, name), [override])
            stack.begin_removal()
            stack.end_removal()
            made.append(stack)
            stack.deploy()
            return stack
        yield deploy
        for stack in made:
            stack.begin_removal()
        for stack in made:
            stack.end_removal()


class Absence:
    """The Redis of a stack goes away; visitors go on asking, with and without a session."""

    def __init__(self, stack):
        self.stack = stack
        self.nginx = stack.container("nginx")
        self.visitor = Visitor(PORT)
        self.count = self.nginx.ask(self.visitor.visit).count
        self.tasks = stack.tasks("php")
        stack.scale("redis", 0)
        wait_until("Redis is gone", 60, lambda: stack.containers("redis"), lambda left: left == [], projects.PAUSE)
        self.begin = time.monotonic()
        # Each page takes long enough for two to do.
        self.crowd = Crowd(2, self.nginx.inside(lambda: release_of_check(post(PORT, "/check.php?nap=200"))),
                           self.nginx.inside(self.page_without_session))

    def page_without_session(self):
        """The home page says that there is no session, and is there all the same."""
        status, text = Visitor(PORT).ask("/")
        assert status == 200 and "the session store does not answer" in text, "status %d: %.200r" % (status, text)
        post(PORT, "/nap.php?ms=200")


@pytest.fixture(scope="session")
def stacks(swarm):
    """(the stack for what goes on meanwhile, the Absence)."""
    stack, bereft = swarm("stack"), swarm("bereft")
    stack.wait_complete()
    bereft.wait_complete()
    absence = Absence(bereft)
    with absence.crowd:
        yield stack, absence


def visits(stack, visitor, count):
    """projects.visit_all_masters() through the nginx of a stack."""
    nginx = stack.container("nginx")
    return projects.visit_all_masters(lambda: nginx.ask(visitor.visit), count)


def test_a_session_counts_by_one_whichever_task_and_master_answers(stacks):
    stack, _ = stacks
    visits(stack, Visitor(PORT), 0)


def test_rolls_of_all_tasks_and_an_update_lose_no_request_and_no_session(stacks):
    stack, _ = stacks
    visitor = Visitor(PORT)
    count = visits(stack, visitor, 0)
    before = {task.id for task in stack.containers("php")}
    with stack.container("nginx").load(nap_ms=3) as load:
        for release in (2, 1, 2):
            stack.roll_to(release)
        count = visits(stack, visitor, count)
        stack.update("php")
        wait_until("the old tasks are gone", 60, lambda: before & {task.id for task in stack.containers("php")},
                   lambda left: not left, projects.PAUSE)
        seen = load.stop()
    assert seen.failed == 0 and seen.requests > 1000, seen
    visits(stack, visitor, count)
    assert stack.container("nginx").ask(visitor.visit).release == "2"


@pytest.mark.last
def test_without_redis_for_two_minutes_no_task_is_replaced_and_sessions_come_back(stacks):
    _, absence = stacks
    stack, crowd = absence.stack, absence.crowd
    wait_until("two minutes are over", AWAY_SECONDS + 30, lambda: time.monotonic() - absence.begin,
               lambda seconds: seconds > AWAY_SECONDS)
    assert stack.containers("redis") == []
    crowd.stop()
    assert crowd.failures() == [] and crowd.refused() == []
    assert len(crowd.records) > 2 * AWAY_SECONDS
    for task in stack.containers("php"):
        assert task.health() == "healthy"
        assert task.status()["degraded"], task.logs()

    stack.scale("redis", 1)
    stack.wait_complete()
    for task in stack.containers("php"):
        wait_until("%s has its store again" % task.name, 60, task.status, lambda status: not status["degraded"],
                   projects.PAUSE)
    visits(stack, absence.visitor, absence.count)
    assert stack.tasks("php") == absence.tasks
