"""Item 2: the symlink changes nothing, a roll changes everything at one instant. Once for each variant."""

from clients import Crowd, Later, answers_of_the_past, fpm_post, post, release_of_check
from support import fpm_masters


def everything_of(site):
    """What release each page shows, static files included, asked often enough to meet every worker."""
    seen = {"check.php": {release_of_check(post(site.port, "/check.php")) for _ in range(60)}}
    for page, find in (("ping.php", lambda text: text.split()[1]), ("slow.php?ms=1", str), ("work.php?ms=1", str),
                       ("visit.php", lambda text: text.split()[1]), ("release.txt", str.strip)):
        seen[page] = {int(find(site.get("/" + page).body)) for _ in range(5)}
    return seen


def test_moving_the_symlink_changes_nothing_until_a_roll(make_site, variant):
    site = make_site(**variant)
    # One page is in every cache, the others were never asked for before the symlink moved.
    release_of_check(post(site.port, "/check.php"))
    before = fpm_masters(site.task.pid)
    site.current(2)
    assert everything_of(site) == dict.fromkeys(everything_of(site), {1})
    assert fpm_masters(site.task.pid) == before
    site.hup()
    site.wait_rolled(1)
    assert everything_of(site) == dict.fromkeys(everything_of(site), {2})
    assert not set(fpm_masters(site.task.pid)) & set(before)
    # And back, by the other command.
    site.roll_to(1)
    assert everything_of(site) == dict.fromkeys(everything_of(site), {1})


def test_a_request_in_flight_finishes_on_the_release_it_began_on(make_site, variant):
    site = make_site(**variant)
    naps = [Later(lambda: release_of_check(post(site.port, "/check.php?nap=2000"))) for _ in range(4)]
    with Crowd(2, lambda: release_of_check(post(site.port, "/check.php"))) as crowd:
        crowd.wait_answers(20)
        site.current(2)
        site.hup()
        crowd.wait_answer(2)
    assert not crowd.failures()
    assert all(nap.under_way() for nap in naps), "the roll was to happen while they nap"
    assert [nap.record().failure for nap in naps] == [None] * 4
    assert [nap.record().answer for nap in naps] == [1] * 4


def test_no_answer_of_the_old_release_after_the_first_of_the_new_one(make_site, variant):
    site = make_site(**variant)
    releases = range(3, 13)
    for release in releases:
        site.install_release(release)
    asks = [lambda: release_of_check(post(site.port, "/check.php")),
            lambda: release_of_check(fpm_post(site.task.address, "/check.php")),
            lambda: release_of_check(post(site.port, "/check.php?nap=15")),
            lambda: release_of_check(fpm_post(site.task.address, "/check.php?nap=15"))]
    with Crowd(12, *asks) as crowd:
        crowd.wait_answers(50)
        for release in releases:
            site.roll_to(release)
            crowd.wait_answers(50)
    assert not crowd.failures() and not crowd.refused()
    assert {record.answer for record in crowd.records} == {1, *releases}
    assert not answers_of_the_past(crowd.records)
    # The other half of the sentence, or there was nothing to see: old ones in flight got their answer later.
    first_new = {release: min(record.end for record in crowd.records if record.answer == release)
                 for release in releases}
    assert any(record.answer < release and record.end > first_new[release] > record.begin
               for release in releases for record in crowd.records)
