"""The man pages and `make install`."""

import os
import re
import shutil
import subprocess

import pytest

from container import BUILT, PATIENCE, REPO, binary

PAGES = {"twinit.8": "man8", "twinit.conf.5": "man5"}
# Of any make: what MAKEFLAGS of an outer one say would be said to this one, too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "DESTDIR"}


def run(*words, status=0):
    """What it prints."""
    done = subprocess.run(words, cwd=REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=4 * PATIENCE, env=ENVIRONMENT)
    assert done.returncode == status, "%s: status %d\n%s" % (" ".join(words), done.returncode, done.stdout)
    return done.stdout


def rendered(path):
    """A page as a terminal shows it, without bold and underlined."""
    return re.sub(".\b", "", run("mandoc", "-T", "utf8", "-O", "width=80", str(path)))


def files(folder):
    """All files below it, as paths from there."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def make(target, destination, *variables):
    """Installs or removes the program under test; `-o build`: as it is."""
    return run("make", "-o", "build", target, "BUILD=%s" % BUILT.parent, "DESTDIR=%s" % destination, *variables)


def test_their_tables_are_what_program_parser_and_readme_say():
    assert run(str(REPO / "tools/man"), "--check", str(binary())) == "", "`make man` writes them anew"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_fault_of_form(page):
    assert run("mandoc", "-T", "lint", "-W", "style", str(REPO / "doc/man" / page)) == ""


def test_what_would_change_is_shown(tmp_path):
    for name in ("doc/man", "tools", "src/config"):
        shutil.copytree(REPO / name, tmp_path / name)
    for name in ("README.md", "VERSION", "doc/configuration.md"):
        shutil.copy(REPO / name, tmp_path / name)
    page = tmp_path / "doc/man/twinit.conf.5"
    page.write_text(page.read_text().replace("Default: \\fB30s", "Default: \\fB31s", 1))
    said = run(str(tmp_path / "tools/man"), "--check", str(binary()), status=1)
    assert "-Default: \\fB31s" in said and "+Default: \\fB30s" in said, said

    run(str(tmp_path / "tools/man"), str(binary()))
    assert page.read_text() == (REPO / "doc/man/twinit.conf.5").read_text()

    described = tmp_path / "doc/configuration.md"
    described.write_text(described.read_text().replace("| `linger` |", "| `lingers` |"))
    said = run(str(tmp_path / "tools/man"), "--check", str(binary()), status=1)
    assert "tools/man: doc/configuration.md has the keys" in said and "lingers" in said, said


def test_the_examples_of_the_configuration_are_valid(tmp_path):
    """An unknown key at the end is what it stops at: all before it was taken."""
    text = (REPO / "doc/man/twinit.conf.5").read_text()
    found = [body for body in re.findall(r"^\.EX\n(.*?)^\.EE$", text, re.M | re.S) if body.startswith("[")]
    assert len(found) == 2, found
    for body in found:
        lines = ["# a comment", "; and another", *body.replace("\\-", "-").splitlines(), "zzzzzzzzzz = 1"]
        file = tmp_path / "twinit.conf"
        file.write_text("\n".join(lines) + "\n")
        said = run(str(binary()), "run", "--config", str(file), status=78)
        assert "%s:%d: unknown key 'zzzzzzzzzz'" % (file, len(lines)) in said, said


def test_program_and_pages_are_installed_and_removed(tmp_path):
    make("install", tmp_path, "PREFIX=/usr")
    pages = {name: "usr/share/man/%s/%s" % (folder, name) for name, folder in PAGES.items()}
    assert files(tmp_path) == sorted(["usr/sbin/twinit", *pages.values()])
    version = (REPO / "VERSION").read_text().strip()
    assert run(str(tmp_path / "usr/sbin/twinit"), "version") == "twinit %s\n" % version
    for name, path in pages.items():
        text = rendered(tmp_path / path)
        assert text.splitlines()[-1].startswith("twinit %s " % version), text[-200:]
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "SEE ALSO"):
            assert re.search("^%s$" % heading, text, re.M), "%s has no %s" % (name, heading)
    assert "drain_timeout = duration" in rendered(tmp_path / pages["twinit.conf.5"])
    for name in re.findall(r"^  twinit ([a-z]+)\b", run(str(binary()), "help"), re.M):
        assert re.search("^ +twinit %s\\b" % name, rendered(tmp_path / pages["twinit.8"]), re.M), name

    strange = tmp_path / "usr/sbin/another"
    strange.touch()
    make("uninstall", tmp_path, "PREFIX=/usr")
    assert files(tmp_path) == ["usr/sbin/another"]


def test_they_go_to_usr_local_unless_told(tmp_path):
    make("install", tmp_path)
    assert files(tmp_path) == ["usr/local/sbin/twinit", "usr/local/share/man/man5/twinit.conf.5",
                               "usr/local/share/man/man8/twinit.8"]
