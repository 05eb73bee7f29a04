"""The test's side of wrap.c: which calls were made, and which one is to fail."""

import errno
import mmap
import os
import re
import struct
import subprocess
import tempfile
from collections import Counter, namedtuple
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFINITIONS = re.sub(r"/\*.*?\*/", "", (HERE / "calls.def").read_text(), flags=re.S)
WHO = re.findall(r"^WHO\((\w+)\)", DEFINITIONS, re.M)
CALLS = re.findall(r"^CALL\((\w+), *\w+, *\w+, *\"([\w ]+)\"\)", DEFINITIONS, re.M)
NEEDS = {"processes": 1, "memory": 2, "descriptors": 4}
SPARED = {"pid1": 1, "children": 2}

# struct shared of wrap.c.
FIELDS = ("recording", "armed", "who", "call", "place", "at", "error", "seen", "fired", "exhausted", "spared",
          "refused", "record_count")
RECORDS_AT = 4 * (len(FIELDS) + 1)
RECORD = struct.Struct("HHI")
RECORDS_MAX = 1 << 16
POSITIONS_MAX = 6  # of one place in the program

# The at-th call of a function by somebody, from that place in the program, fails with that error.
Fault = namedtuple("Fault", "who call place at error")


class Faults:
    """A file shared with one twinit and its children."""

    def __init__(self):
        self._file = tempfile.NamedTemporaryFile(prefix="twinit-torture-", dir="/tmp")
        self._file.truncate(RECORDS_AT + RECORD.size * RECORDS_MAX)
        os.chmod(self._file.name, 0o644)
        self._map = mmap.mmap(self._file.fileno(), 0)
        self.path = self._file.name

    def close(self):
        """The file goes; who has it open still may write to it."""
        self._map.close()
        self._file.close()

    def _put(self, **values):
        for name, value in values.items():
            struct.pack_into("I", self._map, 4 * FIELDS.index(name), value)

    def get(self, name):
        """A field."""
        return struct.unpack_from("I", self._map, 4 * FIELDS.index(name))[0]

    def record(self):
        """From now on each call is noted."""
        self._put(record_count=0)
        self._put(recording=1)

    def recorded(self):
        """{(who, call, place): how often}; no call is noted any more."""
        self._put(recording=0)
        count = self.get("record_count")
        records = (RECORD.unpack_from(self._map, RECORDS_AT + i * RECORD.size) for i in range(min(count, RECORDS_MAX)))
        return Counter((WHO[who], CALLS[call][0], place) for who, call, place in records)

    def arm(self, fault):
        """It happens once."""
        self._put(armed=0)
        names = [name for name, _ in CALLS]
        self._put(who=WHO.index(fault.who), call=names.index(fault.call), place=fault.place, at=fault.at,
                  error=getattr(errno, fault.error), seen=0, fired=0)
        self._put(armed=1)

    def disarm(self):
        """Did it happen?"""
        self._put(armed=0)
        return bool(self.get("fired"))

    def exhaust(self, what, spared=()):
        """Whatever needs that fails from now on, but in those who are spared."""
        self._put(refused=0, spared=sum(SPARED[one] for one in spared))
        self._put(exhausted=NEEDS[what])

    def release(self):
        """There is enough again; how many calls failed."""
        self._put(exhausted=0)
        return self.get("refused")


def faults_of(recorded, random):
    """The faults that a run like the recorded one can have; of a loop's calls the first, the last and some others."""
    errors = dict(CALLS)
    return [Fault(who, call, place, at, error)
            for (who, call, place), count in sorted(recorded.items())
            for at in some_of(count, random) for error in errors[call].split()]


def some_of(count, random):
    """All numbers up to count, or a few of many."""
    if count <= POSITIONS_MAX:
        return range(1, count + 1)
    return [1, *sorted(random.sample(range(2, count), POSITIONS_MAX - 2)), count]


def one_of_each(faults, random):
    """For each place one of its faults, in any order."""
    places = {}
    for fault in faults:
        places.setdefault(fault[:3], []).append(fault)
    chosen = [random.choice(those) for those in places.values()]
    random.shuffle(chosen)
    return chosen


def where(program, place):
    """The function and line of a place, for people."""
    # Of the call, which is before the place it returns to.
    done = subprocess.run(["addr2line", "-sfpe", str(program), hex(place - 1)], stdout=subprocess.PIPE, text=True,
                          check=False)
    return done.stdout.strip() or hex(place)
