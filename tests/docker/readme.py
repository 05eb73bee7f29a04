"""What README.md tells people to write, so that the tests use the same."""

import re

import images


def block(beginning, file="README.md"):
    """The text of the one code block that begins like this."""
    text = (images.REPO / file).read_text(encoding="utf-8")
    found = [body for body in re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S) if body.startswith(beginning)]
    assert len(found) == 1, "%s has %d code blocks that begin with %r" % (file, len(found), beginning)
    return found[0]
