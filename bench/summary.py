"""The tables (Markdown) of one run of `bench/run --csv`: every peer and measure, with its ratio to twinit."""

import csv
import statistics
from collections import namedtuple

from common import number, ratio_interval, spread

OURS, ABSENT = "twinit", "–"

# A column of the peers: where its samples are, what stands for them, and whether more is better.
Measure = namedtuple("Measure", "title figure column middle more", defaults=(statistics.median, False))

UPDATES = (
    Measure("lost per update", "lost", "failed per update"),
    Measure("longest wait, ms", "wait", "longest wait, ms"),
    Measure("the request of 10 s", "wait", "the long request"),
    Measure("p99, updates / steady", "continuous", "p99, updates / steady"),
    Measure("p99 during updates, ms", "continuous", "p99 updates, ms"),
    Measure("p99.9 during updates, ms", "continuous", "p99.9 updates, ms"),
    Measure("old after new per update", "mixed", "old after new per update", statistics.fmean),
    Measure("of both releases", "mixed", "of both releases"),
)
TIMES = (
    Measure("first new answer, ms", "duration", "first new answer, ms"),
    Measure("update, ms", "duration", "update, ms"),
    Measure("last old worker gone, ms", "duration", "last old worker gone, ms"),
    Measure("requests/s", "proxies", "requests/s", more=True),
    Measure("p50, ms", "proxies", "p50, ms"),
    Measure("p99, ms", "proxies", "p99, ms"),
    Measure("queue: requests/s", "proxies", "queue: requests/s", more=True),
    Measure("queue: p99, ms", "proxies", "queue: p99, ms"),
)
PEERS = tuple(dict.fromkeys(measure.figure for measure in UPDATES + TIMES))

# Of these, samples of the same number were taken side by side.
PAIRED = {"wait", "duration", "proxies", "throughput", "rolls", "rolls at full load", "inflight", "roll", "life", "first",
          "surge", "reaping"}

HOW = """\
Each cell is the median (per update: the mean), and in parentheses its ratio to twinit's. Where rounds were measured side by
side that is the geometric mean over the pairs with its 95 % interval: one that contains 1 is not distinguishable in this
run. **Bold** is better than twinit's. There is no ratio to 0, and "–" was not measured. In tables without twinit among
the rows or columns the parentheses have the smallest and the largest."""


def read(path):
    """{figure: {row: {column: [samples], or a text}}} in the order of the file."""
    figures = {}
    with open(path, newline="") as file:
        for line in csv.DictReader(file):
            cells = figures.setdefault(line["figure"], {}).setdefault(line["row"], {})
            if line["sample"]:
                cells.setdefault(line["column"], []).append(float(line["value"]))
            else:
                cells[line["column"]] = line["value"]
    return figures


# Cells.

def ratio_of(samples, ours, middle, paired):
    """(ratio, low, high) of the paired, (ratio,) of others; None where nothing can be divided."""
    if paired and len(samples) == len(ours) > 1 and all(samples + ours):
        return ratio_interval(samples, ours)
    value, own = middle(samples), middle(ours)
    return (value / own,) if value and own else None


def is_better(samples, ours, measure, ratio):
    """Whether a peer beats twinit there; an interval that contains 1 does not say so."""
    if ratio and len(ratio) == 3 and ratio[1] <= 1 <= ratio[2]:
        return False
    value, own = measure.middle(samples), measure.middle(ours)
    return value > own if measure.more else value < own


def cell(samples, ours, middle, paired):
    """(the text "median (ratio to ours)", the ratio); twinit's own have none, nor has what stands beside a text."""
    ratio = ratio_of(samples, ours, middle, paired) if isinstance(ours, list) and ours is not samples else None
    text = number(middle(samples))
    if ratio:
        text += " (%s)" % number(ratio[0]) if len(ratio) == 1 else " (%s [%s–%s])" % tuple(map(number, ratio))
    return text, ratio


def peer_cell(figures, peer, measure):
    """What the table of the peers says there."""
    rows = figures.get(measure.figure, {})
    samples, ours = (rows.get(name, {}).get(measure.column) for name in (peer, OURS))
    if not isinstance(samples, list):
        return samples or ABSENT
    text, ratio = cell(samples, ours, measure.middle, measure.figure in PAIRED)
    return "**%s**" % text if ours and is_better(samples, ours, measure, ratio) else text


# Tables.

def table(head, rows):
    """Markdown of a list of lines; all columns but the first are figures."""
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "".join("| %s |\n" % " | ".join(line) for line in lines)


def peers_table(figures, measures):
    """A line a peer, a column a measure; what nobody has is left out."""
    seen = [measure for measure in measures
            if any(measure.column in cells for cells in figures.get(measure.figure, {}).values())]
    peers = sorted(dict.fromkeys(peer for measure in seen for peer in figures[measure.figure]), key=lambda peer: peer != OURS)
    return table(["peer", *(measure.title for measure in seen)],
                 [[peer, *(peer_cell(figures, peer, measure) for measure in seen)] for peer in peers])


def kinds_table(rows):
    """How the requests failed that were lost."""
    return table(["peer", "requests", "failed", "kinds"],
                 [[peer, *("%.0f" % cells[key][0] for key in ("requests", "failed")), cells.get("kinds", ABSENT)]
                  for peer, cells in rows.items()])


def reference(names):
    """The row or column that is twinit itself; None where all or none is."""
    ours = [name for name in names if name == OURS or name.startswith((OURS + " ", OURS + ","))]
    if len(ours) in (0, len(names)):
        return None
    return next((name for name in (OURS, OURS + " --") if name in ours), ours[0])


def other_table(name, rows):
    """A figure as it was measured: its own rows and columns, one of which may be twinit."""
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    our_column = reference(columns)
    our_row = None if our_column else reference(list(rows))

    def shown(row, column):
        samples = rows[row].get(column, ABSENT)
        if isinstance(samples, str):
            return samples
        if our_row is None and our_column is None:
            return spread(samples)
        return cell(samples, rows[our_row or row].get(our_column or column), statistics.median, name in PAIRED)[0]

    return table(["", *columns], [[row, *(shown(row, column) for column in columns)] for row in rows])


def note_of(figures, name):
    """How a figure was made."""
    return figures.get("note", {}).get(name, {}).get("", "")


def chapter(title, *parts):
    """A heading and what stands below it."""
    return "\n## %s\n\n%s\n" % (title, "\n\n".join(part.strip() for part in parts if part))


def peers_chapter(title, figures, measures):
    """The peers in these measures, and how those were made; nothing when none was measured."""
    names = [name for name in dict.fromkeys(measure.figure for measure in measures) if name in figures]
    notes = "".join("- `%s`: %s\n" % (name, note_of(figures, name)) for name in names if note_of(figures, name))
    return chapter(title, peers_table(figures, measures), notes) if names else ""


def markdown(figures):
    """All tables of a run."""
    text = "# One run of bench/run\n\n%s\n\n%s\n" % (
        "\n".join("- %s: %s" % (name, cells[""]) for name, cells in figures.get("machine", {}).items()), HOW)
    text += peers_chapter("Peers: what an update costs", figures, UPDATES)
    text += peers_chapter("Peers: how long an update takes, and without one", figures, TIMES)
    if "lost" in figures:
        text += chapter("Lost requests by kind", kinds_table(figures["lost"]))
    for name in [name for name in figures if name not in ("machine", "note", *PEERS)]:
        text += chapter(name, note_of(figures, name), other_table(name, figures[name]))
    return text
