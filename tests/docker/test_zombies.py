"""What `docker exec` and health checks leave behind: nothing, neither zombies nor memory nor descriptors."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import containers
import images
from waiting import wait_until

# An hour's worth of checks at an interval of 5 s, in so many calls of docker exec.
CHECKS, EXECS = 720, 60
# Orphans that outlive the shell that made them, and end later on their own.
ORPHANS = 'i=0; while [ $i -lt %d ]; do i=$((i + 1)); %s (sleep 0.5 &); done'


def at_once(call):
    """call() EXECS times, six at a time; the results."""
    with ThreadPoolExecutor(6) as pool:
        return [future.result() for future in [pool.submit(call) for _ in range(EXECS)]]


def of_pid_1(pid):
    """Its descriptors and its memory, in kB: what grows when something is forgotten."""
    memory = re.search(r"^RssAnon:\s+(\d+) kB", Path("/proc/%d/status" % pid).read_text(), re.M)
    return {"descriptors": len(os.listdir("/proc/%d/fd" % pid)), "memory": int(memory[1])}


def processes(task):
    """How many there are in the container, zombies too."""
    return len(task.docker("top", task.id, "-eo", "pid").splitlines()) - 1


def pids(status):
    """The masters."""
    return [master["pid"] for master in status["apps"][0]["masters"]]


def test_an_hour_of_checks_and_orphans_leaves_nothing(php):
    task = php(["--health-interval", "1s"])
    task.wait_healthy()
    # Once before we look: pages that are touched for the first time are not forgotten ones.
    task.exec("sh", "-c", ORPHANS % (CHECKS // EXECS, "twinit health;"))
    wait_until("the first orphans are gone", 30, lambda: "sleep" not in task.docker("top", task.id))
    pid, before, count, status = task.pid, of_pid_1(task.pid), processes(task), task.status()

    checks = at_once(lambda: task.exec("sh", "-c", ORPHANS % (CHECKS // EXECS, "twinit health || exit;")))
    answers = "".join(done.stdout for done in checks).splitlines()
    assert answers == ["healthy"] * CHECKS, [answer for answer in answers if answer != "healthy"][:5]

    wait_until("as many processes as before", 60, lambda: processes(task), lambda seen: seen <= count)
    assert containers.zombies(pid) == []
    wait_until("nothing of it is left in PID 1", 30, lambda: of_pid_1(pid),
               lambda seen: seen["descriptors"] <= before["descriptors"])
    assert of_pid_1(pid)["memory"] <= before["memory"] + 16, (before, of_pid_1(pid))
    after = task.status()
    assert after["reaped"] >= status["reaped"] + CHECKS, "the orphans were not PID 1's"
    assert pids(after) == pids(status), "a master was replaced"
    assert task.health() == "healthy" and task.inspect(".State.Health.FailingStreak") == 0


def test_under_a_pid_1_that_does_not_reap_they_would_stay(docker, php, ready):
    """So the count above is able to see them."""
    task = php(["--entrypoint", "sleep", "--no-healthcheck"], "600", image=images.sample(ready))
    done = task.exec("sh", "-c", ORPHANS % (5, ""))
    assert done.returncode == 0, done.stdout
    wait_until("five zombies", 30, lambda: len(containers.zombies(task.pid)), lambda seen: seen == 5)
    docker("kill", task.id)
