"""The pages that people read: links lead somewhere, and the commands that are named exist."""

import re
import subprocess
from pathlib import Path

import pytest

import container as machinery

REPO = Path(__file__).resolve().parents[2]


def pages():
    """Every page of the repository, as git knows them."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=REPO,
                            stdout=subprocess.PIPE, text=True, check=True)
    return listed.stdout.split()


def prose(text):
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def anchors(text):
    """The names that GitHub gives the headings of a page, in order."""
    names = []
    for heading in re.findall(r"^#+ +(.*?) *$", prose(text), re.M):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        name = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        again = sum(1 for one in names if one == name or re.fullmatch(re.escape(name) + r"-\d+", one))
        names.append("%s-%d" % (name, again) if again else name)
    return names


def links(text):
    """Where a page's links and pictures lead, those to other machines left out."""
    found = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(text)))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def leads_nowhere(page, target):
    """Why a link of this page leads nowhere, or None."""
    path, _, anchor = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    if not there.exists():
        return "there is no %s" % there
    if anchor and there.suffix == ".md" and anchor not in anchors(there.read_text()):
        return "%s has no heading #%s" % (there.name, anchor)
    return None


def commands_of_help():
    """The commands that `twinit help` lists."""
    shown = subprocess.run([machinery.binary(), "help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return set(re.findall(r"^  twinit ([a-z]+)", shown, re.M))


def commands_named(text):
    """What follows the word twinit where a page shows what to type."""
    shown = re.findall(r"`([^`\n]+)`", prose(text)) + re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)
    typed = re.sub(r" # .*", "", "\n".join(shown))
    # After a space: `docker exec CONTAINER twinit status`; after a slash: `build/twinit status`; neither `twinit php-fpm` nor
    # a run directory and a path, `env TWINIT_RUN_DIR=.run/twinit build/twinit`.
    return set(re.findall(r"(?:^|[ /])twinit ([a-z]+)\b(?![-/])", typed, re.M))


@pytest.mark.parametrize("name", pages())
def test_each_link_leads_somewhere(name):
    page = REPO / name
    broken = {target: leads_nowhere(page, target) for target in links(page.read_text())}
    assert not {target: why for target, why in broken.items() if why}


def test_a_link_that_leads_nowhere_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `few` words, said\n## Twice\n## Twice\n[a](#a-few-words-said) [b](#twice-1) [c](page.md#twice)\n"
                    "[d](#twice-2) [e](none.md) ![f](none.svg) [g](page.md#none) `[h](none.md)` [i](https://localhost/)\n"
                    "```\n# none\n[j](none.md)\n```\n")
    assert [target for target in links(page.read_text()) if leads_nowhere(page, target)] == [
        "#twice-2", "none.md", "none.svg", "page.md#none"]


def test_each_command_that_the_readme_names_exists():
    text = (REPO / "README.md").read_text()
    exist = commands_of_help()
    assert commands_named(text) - exist == set()


def test_a_command_that_does_not_exist_is_seen():
    text = "the twinit we like\n`docker exec C twinit shout` `twinit php-fpm`\n```\n$ build/twinit sing # twinit hums\n```\n"
    assert commands_named(text) == {"shout", "sing"}


def test_each_command_is_explained_in_the_readme():
    assert commands_of_help() <= commands_named((REPO / "README.md").read_text())


def arguments(text):
    """The options and the names of arguments in a line of usage."""
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*|\b[A-Z]+\b|\ball\b", text)) - {"OPTIONS"}


def test_the_readme_shows_the_arguments_of_each_command():
    table = re.findall(r"^\| (`twinit.*?`) \|", (REPO / "README.md").read_text().replace("\\|", "/"), re.M)
    for command in sorted(commands_of_help()):
        helped = subprocess.run([machinery.binary(), "help", command], stdout=subprocess.PIPE, text=True, check=True).stdout
        shown = arguments(" ".join(line for row in table for line in re.findall(r"`twinit %s\b([^`]*)`" % command, row)))
        usage = arguments(helped.partition("\n")[0])
        assert usage <= shown <= arguments(helped), "help %s and the table in README.md differ" % command
