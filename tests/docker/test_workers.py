"""The site's image for other work than serving: queue workers, cron, and what is said to all tasks of a node."""

import subprocess

import pytest

import images
import readme
from waiting import wait_until

# Says that it has begun, and on TERM finishes what it is at.
WORKER = r"""
pcntl_async_signals(true);
$go = true;
pcntl_signal(SIGTERM, function () use (&$go) { $go = false; });
echo "begun\n";
while ($go) {
    usleep(1000);
}
usleep(1500000);
echo "job done\n";
"""


def worker(php, code):
    """A container of the site's image that runs this PHP; returns when it has begun."""
    task = php(["--health-interval", "1s"], "php", "-r", code, name="worker")
    wait_until("the worker has begun", 30, lambda: "begun" in task.logs())
    return task


def test_a_queue_worker_is_healthy_while_it_runs_and_ends_its_job_on_a_stop(php):
    task = worker(php, WORKER)
    wait_until("Docker calls it healthy", 60, task.health, lambda health: health == "healthy")
    assert task.exec("twinit", "health").stdout == "healthy: runs 'php'\n"
    assert task.exec("twinit", "restart").stdout == "twinit: this twinit runs 'php', no PHP-FPM\n"
    assert task.stop() == 0 and "job done" in task.logs(), task.logs()


@pytest.mark.parametrize("name, status", [("HUP", 129), ("TERM", 143)])
def test_a_worker_without_handlers_ends_by_the_signal_and_says_so(php, name, status):
    task = worker(php, 'echo "begun\n"; while (true) { usleep(1000); }')
    task.kill(name)
    assert task.wait() == status


def test_a_hup_begins_a_worker_again_where_docker_restarts_it(php):
    """Only because the image has a STOPSIGNAL: without one Docker takes the HUP for a stop."""
    task = php(["--restart", "always"], "php", "-r", 'echo "begun\n"; while (true) { usleep(1000); }', name="worker")
    wait_until("the worker has begun", 30, lambda: task.logs().count("begun"), lambda seen: seen == 1)
    task.kill("HUP")
    wait_until("it has begun again", 60, lambda: task.logs().count("begun"), lambda seen: seen == 2)
    assert task.inspect(".RestartCount") == 1


def test_a_worker_that_is_over_takes_its_container_and_what_it_started_along(php):
    task = php([], "sh", "-c", "sleep 600 & exit 3", name="worker")
    assert task.wait() == 3
    assert task.logs() == ""


def test_cron_jobs_run_beside_a_site_without_disturbing_it(php):
    task = php()
    task.wait_healthy()
    before = task.status()
    done = task.exec("twinit", "--", "sh", "-c", "(sleep 0.2 &); exec php -r 'echo \"done\n\"; exit(7);'")
    assert (done.returncode, done.stdout) == (7, "done\n")
    after = task.status()
    assert (after["pid"], after["healthy"], after["why"]) == (1, True, before["why"])
    assert after["apps"][0]["masters"][0]["pid"] == before["apps"][0]["masters"][0]["pid"]
    assert task.stop() == 0, task.logs()


def test_one_line_rolls_all_tasks_of_a_node(docker, php, debian):
    """The lines of doc/docker.md, with our service's name in the place of theirs."""
    service = images.named(debian, "site")
    label = ["--label", "com.docker.swarm.service.name=" + service]
    tasks = [php(label, name="php%d" % number) for number in (1, 2)]
    other = php(["--label", "com.docker.swarm.service.name=%s-other" % service], name="other")
    for task in tasks + [other]:
        task.wait_healthy()
    for number, beginning in enumerate(("docker kill -s HUP $(docker ps", "docker ps -q "), start=1):
        line = readme.block(beginning, "doc/docker.md").replace("site_php", service)
        done = subprocess.run(["sh", "-c", line], env=docker.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        assert done.returncode == 0, done.stdout
        for task in tasks:
            assert task.wait_rolled(number)["last_roll"] == "done", done.stdout
    assert other.app()["rolls"] == 0, "it is another service's"
