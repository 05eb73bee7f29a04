"""What the soak prints when it is over."""

import collections
from pathlib import Path

from footprint import descriptors
from judge import SECOND
from processes import title
from surroundings import OUTCOMES

BAD_SHOWN, ERRORS_SHOWN = 20, 40


def listed(counter):
    """name count, name count"""
    return ", ".join("%s %d" % item for item in sorted(counter.items())) or "none"


def failure(soak):
    """What led to it, and where the rest is."""
    print("\n".join(["", "The last actions:", *soak.recent, "", *soak.problems]))
    print("\n".join("bad: %r" % (one,) for one in soak.judge.bad[:BAD_SHOWN]))
    print("SEED=%s; logs and actions are in %s" % (soak.seed, soak.folder))


def by_kind(requests):
    """{kind: {outcome: count}}"""
    found = collections.defaultdict(collections.Counter)
    for (kind, outcome), count in requests.items():
        found[kind][outcome] += count
    return found


def table(soak):
    """Everything that was counted."""
    judge, outcomes, counted = soak.judge, soak.listener.outcomes, soak.faults()
    kinds = by_kind(judge.requests)
    totals = sum(kinds.values(), collections.Counter())
    print("\nSEED=%s, %g minutes, %s" % (soak.seed, soak.minutes, soak.site.variant))
    print("rolls: %s" % ", ".join("%d %s" % (outcomes[one], one) for one in OUTCOMES))
    print("  asked for: %s" % listed(soak.lanes[0].count))
    print("faults: %d\n  %s" % (counted.total(), listed(counted)))
    print("requests: %d, %s" % (totals.total(), listed(totals)))
    for kind, counts in sorted(kinds.items()):
        print("  %-12s %-60s longest %5.1f s" % (kind, listed(counts), judge.longest[kind] / SECOND))
    print("lost: %d by the worker that was killed (%s), %d otherwise" % (
        totals["own"], listed(judge.own), totals["lost"]))
    print("longest time without a good answer: %.1f s; slowest `twinit health`: %.1f s" % (
        judge.longest_silence / SECOND, soak.slowest_health))
    if soak.after:
        pid1(soak)
    print("twinit's errors: %d" % soak.listener.errors.total())
    for text, count in soak.listener.errors.most_common(ERRORS_SHOWN):
        print("  %5d %s" % (count, text))
    print()


def process(pid):
    """A process that is there when it should not be, say: what it is, waits for and has open."""
    seen = []
    for name in ("status", "wchan", "syscall"):
        try:
            seen.append(Path("/proc/%d/%s" % (pid, name)).read_text().replace("\t", " ").replace("\n", "; ")[:300])
        except OSError as error:
            seen.append(repr(error))
    return "%d %s: %s; %s" % (pid, title(pid), descriptors(pid), "; ".join(seen))


def pid1(soak):
    """What it took before and after."""
    rows = [(name, "%d KB" % soak.memory_before[name], "%d KB" % soak.memory_after[name])
            for name in soak.memory_before]
    rows += [(name, len(soak.before[name]), len(soak.after[name])) for name in ("descriptors", "processes", "files")]
    rows += [(name, soak.before[name], soak.after[name]) for name in ("mounts", "mounts outside")]
    for name, before, after in rows:
        print("  %-16s %s -> %s" % (name, before, after))
