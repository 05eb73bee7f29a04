"""The image with Docker's own options: what a first `docker run` meets."""

from waiting import wait_until


def test_default_options_serve_and_roll_with_path_isolation_and_say_why_not_more(php, web):
    task = php()
    task.wait_healthy()
    wait_until("nginx reaches the container", 30, lambda: "1 1 1 1 POST" in web.post())
    with web.load() as load:
        for number in range(1, 6):
            task.current(1 + number % 2)
            task.kill("HUP")
            assert task.wait_rolled(number)["last_roll"] == "done"
        seen = load.stop()
    assert seen.failed == 0 and seen.requests > 100, seen
    assert task.app()["isolation"] == "path"
    assert "mount namespace" in task.logs()
    assert task.stop() == 0
