"""`twinit help` and `twinit help COMMAND`."""

import re
import subprocess

import pytest

from container import PATIENCE, binary

WIDTH = 80


def twinit(*words):
    """Its output, which must be all it says."""
    done = subprocess.run([str(binary()), *words], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def names():
    """The commands of the overview."""
    return re.findall(r"^  twinit ([a-z]+)\b", twinit("help"), re.M)


def test_the_overview_is_a_table_that_fits_a_terminal():
    lines = twinit("help").splitlines()
    assert len(max(lines, key=len)) <= WIDTH, max(lines, key=len)
    table = lines[lines.index("") + 1:]
    table = table[:table.index("")]
    column = max(len(line) - len(line.lstrip()) for line in table)
    for row, after in zip(table, table[1:] + [""]):
        beside = row[column - 1:column] == " " and row[column:column + 1].strip()
        assert beside or after.startswith(" " * column), "the summary of %r is not in column %d" % (row, column)


def test_the_overview_has_every_command():
    assert len(names()) == len(set(names())) >= 16, names()


def test_each_command_says_its_exit_statuses_and_has_an_example():
    for name in names():
        text = twinit("help", name)
        assert text.startswith("usage: twinit " + name), text
        assert len(re.findall("^Exit status: 0", text, re.M)) == 1, text
        assert re.search("64 (usage|no such command)", " ".join(text.split())), text
        assert re.search("^Example: .*twinit %s\\b" % name, text, re.M), text
        assert max(map(len, text.splitlines())) <= WIDTH, text


@pytest.mark.parametrize("words", [["nonsense"], ["status", "list"]])
def test_what_cannot_be_explained_is_a_usage_error(words):
    done = subprocess.run([str(binary()), "help", *words], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (64, ""), done
    assert "usage: twinit help [COMMAND]" in done.stderr


# What the texts say of exit statuses is so; test_command_table.py has the rest.


def test_status_64_for_an_option_that_there_is_not():
    for name in names():
        done = subprocess.run([str(binary()), name, "--nonsense"], capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode, done.stdout) == (64, ""), done
        assert "usage: twinit %s" % name in done.stderr, done


def test_status_64_for_an_app_or_a_replica_that_there_is_not(boot):
    c = boot()
    for words in ("status shop", "status -q shop", "deploy 2 shop", "rollback shop", "restart shop", "start shop", "stop shop",
                  "sessions shop", "status www 3", "restart www 3", "start www 3", "stop www 3"):
        code, text = c.tell(*words.split())
        assert (code, "no app is called 'shop'" in text or "has no replica 3" in text) == (64, True), (words, code, text)


def test_status_q_is_1_for_a_replica_that_does_not_serve(boot):
    c = boot()
    assert c.tell("stop", "www", "2")[0] == 0
    assert [c.tell("status", "-q", "www", number)[0] for number in "12"] == [0, 1]
