"""What people get wrong in Docker is said in one clear sentence, with the right exit status."""

import os
import re
import tempfile
from pathlib import Path

import pytest

import images
from processes import children, title
from waiting import wait_until


@pytest.fixture
def foreground(docker, network, ready):
    """foreground(options, *command, image=...): exit status and output of a container that ends by itself."""
    def run(options=(), *command, image=None):
        done = docker.run("run", "--rm", "--network", network, *options, image or images.checked(ready), *command,
                          timeout=90)
        return done.returncode, done.stdout
    return run


def errors_of(output):
    """The lines that twinit calls errors."""
    return re.findall(r"^twinit: error: (.*?)\r?$", output, re.M)


@pytest.fixture
def image_without_php(docker, ready):
    """Debian's base image with twinit and nothing else."""
    name = "%s-without-php:%s" % (images.PREFIX, ready)
    with tempfile.TemporaryDirectory(prefix="twinit-") as folder:
        (Path(folder) / "Dockerfile").write_text(
            "FROM %s\nCOPY --from=%s /usr/local/sbin/twinit /usr/local/sbin/\nENTRYPOINT [\"twinit\"]\n"
            % (images.base(ready), images.sample(ready)))
        images.build(docker, name, folder)
    yield name
    docker.run("image", "rm", name)


def test_no_php_in_the_image(foreground, image_without_php):
    status, output = foreground(image=image_without_php)
    assert (status, errors_of(output)) == (78, [
        "www: cannot find the PHP-FPM binary 'php-fpm' in PATH or the sbin directories; install php-fpm or set php_fpm"])


@pytest.mark.parametrize("options, error", [
    (["--env", "TWINIT_APP_RELEASE=/srv/app/nowhere"], "www: release '/srv/app/nowhere': No such file or directory"),
    (["--env", "TWINIT_RUN_DIR=/srv/php-fpm/run"], "cannot use run_dir /srv/php-fpm/run: Permission denied"),
    (["--read-only", "--ipc", "none"],
     "cannot use run_dir /run/twinit nor one of its fall-backs; set run_dir: Read-only file system"),
    (["--env", "TWINIT_APP_REPLICAS=two"], "TWINIT_APP_REPLICAS: 'two' is no number from 1 to 4"),
], ids=["release", "run-dir", "every-run-dir", "value"])
def test_a_start_that_cannot_be_is_refused_with_one_sentence(foreground, options, error):
    status, output = foreground(options)
    assert (status, errors_of(output)) == (78, [error])


def test_a_template_that_nobody_filled_in_is_said_and_counts_as_unset(php):
    task = php(["--env", "TWINIT_APP_REPLICAS={{.Task.Slot}}"])
    task.wait_healthy()
    assert task.app()["replicas"] == 2
    warnings = re.findall("^twinit: warning: (.*)", task.logs(), re.M)
    assert warnings == ["ignoring TWINIT_APP_REPLICAS, a template that nobody filled in: '{{.Task.Slot}}'"]


def test_without_a_tmp_to_write_to_php_8_2_is_refused_and_later_ones_serve(php, debian):
    task = php(["--read-only", "--env", "TWINIT_APP_PUBLISH="])
    if images.PHP[debian] != "8.2":
        task.wait_healthy()
        return
    assert task.wait() == 78, task.logs()
    error, = errors_of(task.logs())
    assert "Unable to create lock file: Read-only file system" in error
    assert error.endswith("OPcache writes to /tmp (opcache.lockfile_path): mount a tmpfs there")


def test_static_files_that_cannot_be_published_are_in_the_status_and_php_serves(php, web):
    task = php(["--user", "4242:4242"])
    task.wait_healthy()
    web.wait_answer()
    sentence = "www: static files are not published: Permission denied"
    health = task.exec("twinit", "health")
    assert (health.returncode, health.stdout.strip()) == (0, "healthy, degraded: " + sentence)
    assert task.app()["publish_why"] == "Permission denied"
    assert "\n  static files: not published: Permission denied\n" in task.exec("twinit", "status").stdout
    assert errors_of(task.logs()) == ["www: cannot publish release 1 at /srv/app/published, "
                                      "static files stay as they were: Permission denied"]


def test_who_may_not_ask_is_told_who_may(php):
    task = php()
    task.wait_healthy()
    done = task.exec("twinit", "status", user="33")
    assert (done.returncode, done.stdout) == (
        1, "twinit: the twinit in /run/twinit answers only root and user 1000, not user 33\n")


def test_a_roll_that_the_pids_limit_refuses_says_so(php, web):
    task = php(["--no-healthcheck", "--pids-limit", "40"])
    task.wait_healthy()
    web.wait_answer()
    task.exec("sh", "-c", "while sleep 600 & do :; done")
    task.kill("HUP")
    task.wait_log("roll refused, nothing was touched: .*no more processes may be made; raise the container's pids limit")
    for pid in children(task.twinit):
        if title(pid).startswith("sleep"):
            os.kill(pid, 9)
    wait_until("twinit can be asked again", 60, lambda: task.exec("twinit", "health").returncode == 0)
    assert web.check() == 1
    rolled = task.exec("twinit", "restart")
    assert rolled.returncode == 0, rolled.stdout


def test_a_master_that_died_for_want_of_memory_is_told_as_that(php, web):
    task = php(["--memory", "96m", "--memory-swap", "96m"])
    task.wait_healthy()
    web.wait_answer()
    victim = task.masters()[0]
    # The kernel's choice; more than the container may have does not come about without it.
    Path("/proc/%d/oom_score_adj" % victim).write_text("1000")
    task.exec("sh", "-c", "head -c 500M /dev/zero | tail -n 1 >/dev/null")
    said = task.wait_log(r"www: replica (\d): was killed by signal 9 \(Killed\), for want of memory: "
                         "the container may have 96 MiB; starting it again")
    wait_until("both replicas are back", 60, lambda: task.app()["ready"] == 2)
    master = next(master for master in task.app()["masters"] if master["replica"] == int(said[1]))
    assert master["failures"] >= 1, master
    assert "for want of memory" in master["last_failure"], master
    assert web.check() == 1
