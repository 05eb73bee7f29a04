"""PHP's workers have the listening sockets and can shut them down: a lane that is lost costs the site nothing for long.

What a worker would do from within is done from outside here, with the descriptor that its master has.
"""

import socket

import pytest

from clients import fpm_post, release_of_check
from listeners import listeners
from rolling import give
from support import QUICK_STOP, SECONDS, fpm_masters, wait_until

KINDS = {
    "IPv4": {},
    "any": {"before": lambda site: site.pool.update(listen=str(site.task.port))},
    "unix": {"unix": True},
}


def is_public(site):
    """Whether a socket's name is that of the site or one of its lanes."""
    if site.unix:
        return lambda name: isinstance(name, str) and name.startswith(site.task.listen)
    return lambda name: isinstance(name, tuple) and name[1] == site.task.port


def active_lane(site):
    """The listening socket of the masters that serve."""
    found = [listeners(pid, is_public(site)) for pid in fpm_masters(site.task.pid)]
    inodes = {inode for one in found for inode in one}
    assert len(inodes) == 1, found
    return list(found[0].items())[0]


def lanes_of(site):
    return {master["lane"] for master in site.app()["masters"] if master["group"] == "active"}


def serves(site, release):
    """Many visitors, each of whom comes to that release."""
    for _ in range(50):
        assert release_of_check(fpm_post(site.task.address, "/check.php")) == release


@pytest.mark.parametrize("kind", KINDS)
def test_the_active_lane_is_left_when_it_is_shut_down(make_site, kind):
    site = make_site(env=QUICK_STOP, **KINDS[kind])
    site.current(2)  # nobody has asked for this one to be rolled out yet
    for _ in range(2):
        _, lane = active_lane(site)
        before = lanes_of(site)
        lane.shutdown(socket.SHUT_RDWR)
        wait_until("masters on another lane", SECONDS, lambda: lanes_of(site), lambda now, old=before: now and not now & old)
        site.wait_masters()
        serves(site, 1)
    assert len(site.lines(r"error: www: a process of PHP shut down the listening socket of lane .: moving to another")) == 2
    assert site.task.status_json()["healthy"] and not site.task.status_json()["degraded"]
    assert not site.lines("rescue master")
    site.restart()
    serves(site, 2)


@pytest.mark.parametrize("kind", ["IPv4", "any"])
def test_lanes_that_are_shut_down_are_not_rolled_to(make_site, kind):
    site = make_site(env=QUICK_STOP, **KINDS[kind])
    for count in (1, 2, 3):
        inode, _ = active_lane(site)
        # PID 1 alone has the gate, which has the option still.
        idle = [one for other, one in listeners(site.task.pid, is_public(site)).items()
                if other != inode and not one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)]
        assert len(idle) == 4 - count
        idle[-1].shutdown(socket.SHUT_RDWR)
        site.said("nothing is built on it any more", count)
        serves(site, 1)
        if count < 3:
            site.restart()
            serves(site, 1)
    status = site.task.status_json()
    assert status["healthy"] and status["degraded"] and "restart the container" in status["why"], status
    code, said = give(site, "restart")
    assert code == 1 and "no other lane is left" in said, said
    assert not site.lines("rescue master")
    serves(site, 1)
