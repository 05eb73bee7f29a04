"""Static files and PHP: a page finds the files of its release, whatever is rolled meanwhile."""

import ctypes
import functools
import os
import re

import pytest

from clients import Crowd, Later, Lost, post
from rolling import GATED, HEALTH, assert_answered, finished, give, order, page, releases_of, wait_phase
from stack import make_symlink
from support import QUICK_STOP, SECONDS, VARIANTS, wait_until


def install(site, release):
    """Gives a release the static file that its page names; the sample's own number is made if it is not there."""
    if release > 2:
        site.install_release(release)
    file = page(site, release, "asset-%d.txt" % release)
    file.write_text("asset of %d\n" % release)
    file.chmod(0o644)


def install_both(site):
    """For make_site: before anything runs."""
    site.prepare()
    for release in (1, 2):
        install(site, release)


def release_of_page(site):
    """The release of asset.php; Lost when it is none."""
    name = post(site.port, "/asset.php")
    found = re.fullmatch(r"asset-(\d+)\.txt", name)
    if not found:
        raise Lost("not a page: %.80r" % name)
    return int(found[1])


def asset_of(site, release):
    """Fetches the file of a release; Lost when it is anything else."""
    answer = site.get("/asset-%d.txt" % release)
    if (answer.status, answer.body) != (200, "asset of %d\n" % release):
        raise Lost("asset of %d: %d %.80r" % (release, answer.status, answer.body))


def page_with_asset(site):
    """What a browser does; the release."""
    release = release_of_page(site)
    asset_of(site, release)
    return release


def published(site):
    """What the two links say, the newer one first."""
    return [os.readlink(site.directory / "app" / name) for name in ("published", "published.previous")
            if os.path.lexists(site.directory / "app" / name)]


class Visitors(Crowd):
    """A Crowd of one for each of these, of whom it is known how often they have asked."""

    def __init__(self, *asks):
        self._turns = [0] * len(asks)
        super().__init__(len(asks), *(functools.partial(self._visit, number, ask) for number, ask in enumerate(asks)))

    def _visit(self, number, ask):
        try:
            return ask()
        finally:
            self._turns[number] += 1

    def wait_turn(self):
        """Waits until nobody is under way any more, or has a page, since before now."""
        before = list(self._turns)
        wait_until("two turns of everybody", SECONDS, lambda: list(self._turns),
                   lambda now: all(one >= other + 2 for one, other in zip(now, before)))


def browsers(site):
    """Those who fetch a page and then its asset, again and again."""
    return Visitors(*[functools.partial(page_with_asset, site)] * 4)


def test_an_asset_is_found_although_the_links_move_between_nginxs_look_and_its_opening(make_site):
    """Many generations without PHP, moved as twinit moves them, so that some hit that moment."""
    site = make_site(before=install_both, env=QUICK_STOP)
    app = site.directory / "app"
    for release in range(3, 203):
        folder = app / "releases" / str(release) / "public"
        folder.mkdir(parents=True)
        (folder / ("asset-%d.txt" % release)).write_text("asset of %d\n" % release)

    def ask():
        release = int(os.path.basename(published(site)[0]))
        asset_of(site, release)
        return release

    with Visitors(ask, ask, ask, ask) as crowd:
        for release in range(2, 203):
            crowd.wait_turn()
            make_symlink(published(site)[0], app / "published.previous")
            make_symlink("releases/%d" % release, app / "published")
    assert_answered(crowd)


def exchange(one, other):
    """Two names change places in one step."""
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    if renameat2(-100, bytes(one), -100, bytes(other), 2) != 0:  # AT_FDCWD, RENAME_EXCHANGE
        raise OSError(ctypes.get_errno(), "renameat2")


def test_an_asset_is_found_although_the_links_change_places_between_nginxs_looks(make_site):
    """There and back many times without PHP, as twinit does it: the file of either release is always there."""
    site = make_site(before=install_both, env=QUICK_STOP)
    site.roll_to(2)
    app = site.directory / "app"

    def ask(release):
        asset_of(site, release)
        return release

    with Visitors(*(functools.partial(ask, release) for release in (1, 2, 1, 2))) as crowd:
        for _ in range(400):
            crowd.wait_turn()
            exchange(app / "published", app / "published.previous")
    assert_answered(crowd)
    assert releases_of(crowd) == {1, 2}


@pytest.mark.parametrize("variant", VARIANTS)
def test_under_load_no_page_misses_its_asset(make_site, variant):
    site = make_site(before=install_both, **VARIANTS[variant])
    releases = range(3, 9)
    with browsers(site) as crowd:
        crowd.wait_answers(20)
        for release in releases:
            install(site, release)
            site.roll_to(release)
            crowd.wait_answer(release)
            crowd.wait_turn()
    assert_answered(crowd)
    assert releases_of(crowd) == {1, *releases}
    assert published(site) == ["releases/8", "releases/7"]


def test_a_page_of_the_old_release_finds_its_asset_for_one_generation(make_site):
    site = make_site(before=install_both, env=QUICK_STOP)
    install(site, 3)
    assert published(site) == ["releases/1"]
    site.roll_to(2)
    for release in (1, 2):
        asset_of(site, release)
    # A roll to the same release is no generation.
    site.restart()
    assert published(site) == ["releases/2", "releases/1"]
    site.roll_to(3)
    for release in (2, 3):
        asset_of(site, release)
    with pytest.raises(Lost):
        asset_of(site, 1)


def test_the_new_files_are_there_before_the_first_page_and_the_old_ones_after_a_rollback(make_site):
    site = make_site(before=install_both, env={**GATED, "TWINIT_APP_LINGER": "20s"})
    with browsers(site) as crowd:
        crowd.wait_answers(20)
        for _ in range(3):
            deploy = order(site, "deploy", "2")
            crowd.wait_answer(2)
            wait_phase(site, "watch")
            assert published(site) == ["releases/2", "releases/1"]
            assert give(site, "rollback")[0] == 0
            assert finished(deploy)[0] == 1
            wait_until("1 is published again", SECONDS, lambda: published(site),
                       lambda seen: seen == ["releases/1", "releases/2"])
            crowd.wait_turn()
    assert_answered(crowd)


def test_a_release_that_fails_is_not_published(make_site):
    site = make_site(before=install_both, env=GATED)
    site.roll_to(2)
    install(site, 3)
    page(site, 3, HEALTH).write_text("<?php http_response_code(500);")
    assert give(site, "deploy", "3")[0] == 1
    assert published(site) == ["releases/2", "releases/1"]
    for release in (1, 2):
        asset_of(site, release)


@pytest.fixture
def two_tasks(make_site):
    """Two twinits with one volume, and nginx before both."""
    return make_site(before=install_both, tasks=2, retries=True, env=QUICK_STOP)


def test_two_tasks_that_are_rolled_one_after_the_other_do_not_disturb_each_other(two_tasks):
    site = two_tasks
    with browsers(site) as crowd:
        crowd.wait_answers(20)
        for release in range(2, 6):
            if release > 2:
                install(site, release)
            site.current(release)
            for task in site.tasks:
                task.restart()
                # Pages of both releases come as long as the second task waits.
                crowd.wait_turn()
                assert published(site) == ["releases/%d" % release, "releases/%d" % (release - 1)]
    assert_answered(crowd)
    assert releases_of(crowd) == set(range(1, 6))


def test_two_tasks_that_are_rolled_at_the_same_time_do_not_disturb_each_other(two_tasks):
    site = two_tasks
    with browsers(site) as crowd:
        crowd.wait_answers(20)
        for release in range(3, 9):
            install(site, release)
            site.current(release)
            rolls = [Later(task.restart) for task in site.tasks]
            assert [roll.record().failure for roll in rolls] == [None, None]
            before = 1 if release == 3 else release - 1
            assert published(site) == ["releases/%d" % release, "releases/%d" % before]
            crowd.wait_turn()
    assert_answered(crowd)
    assert releases_of(crowd) == {1, *range(3, 9)}
