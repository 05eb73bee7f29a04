"""Judges each request of the soak: who served it, was that release allowed then, and whose fault a loss was.

All times are ns of the monotonic clock. Nothing here runs or looks at a process, so that any story can be told to it
(tests/integration/test_soak.py does).
"""

import bisect
import collections
import threading

SECOND = 1_000_000_000

Epoch = collections.namedtuple("Epoch", "release since")
Announcement = collections.namedtuple("Announcement", "pid parent release at")
Request = collections.namedtuple("Request", "kind id begin end outcome release detail")
Bad = collections.namedtuple("Bad", "why request announcement")


class Epochs:
    """Which release may answer when: a chain of releases, each of which may be live from a moment on.

    An answer proves that its release was live; whatever begins after it was received gets that one or a later one.
    """

    def __init__(self, release):
        self._chain = [Epoch(release, 0)]
        self._proof_times = [0]  # ascending
        self._proofs = [0]  # index of the epoch that is proven by then

    def may(self, release, now):
        """From now on a roll to this release may be over at any moment."""
        if self._chain[-1].release != release:
            self._chain.append(Epoch(release, now))

    def is_now(self, release, now):
        """All rolls are over, and this is what serves. False when nothing was to lead there."""
        last = len(self._chain) - 1
        fits = [n for n in range(self._proofs[-1], last + 1) if self._chain[n].release == release]
        if not fits:
            return False
        if fits[-1] != last:  # what follows did not happen; nobody's epoch keeps the next one apart
            self._chain[fits[-1] + 1:] = [Epoch(None, now)]
        self._prove(fits[-1], now)
        return True

    def _prove(self, index, at):
        if index > self._proofs[-1] and at >= self._proof_times[-1]:
            self._proof_times.append(at)
            self._proofs.append(index)

    def allows(self, release, begin, end):
        """Judges an answer, in the order of their ends, and learns from it."""
        low = self._proofs[max(0, bisect.bisect_left(self._proof_times, begin) - 1)]
        for index in range(low, len(self._chain)):
            epoch = self._chain[index]
            if epoch.release == release and epoch.since <= end:
                self._prove(index, end)
                return True
        return False


class Fault:
    """Workers that we killed or had ended: what each of them was doing then may be lost, and nothing else."""

    def __init__(self, what, at, pids, room, until):
        self.what, self.at, self.until, self.room = what, at, until, room
        self._left = set(pids)

    def takes(self, request, announcement):
        """Is this loss its own? A worker has one request at a time, so each is taken once."""
        if self.room == 0 or self.at > request.end or self.until < request.begin:
            return False
        if announcement is not None:
            if announcement.pid not in self._left or announcement.at > self.until:
                return False
            self._left.remove(announcement.pid)
        self.room -= 1
        return True


class Stillbirths:
    """Masters that could not start: they take the workers that they have made with them, and what these serve.

    They live for milliseconds, so that nobody may have seen them; but `others`, all that were there before or are there
    afterwards, are known.
    """

    def __init__(self, what, at, until, others):
        self.what, self.at, self.until = what, at, until
        self._others = set(others)
        self._taken = set()

    def takes(self, request, announcement):
        """As Fault's."""
        if announcement is None or announcement.parent in self._others or announcement.pid in self._taken or \
                not self.at <= announcement.at <= self.until:
            return False
        self._taken.add(announcement.pid)
        return True


class Judge:
    """Takes what happens from any thread. Verdicts come when nothing can arrive any more that would change them."""

    DELAY = 3 * SECOND

    def __init__(self, release):
        self._lock = threading.Lock()
        self._epochs = Epochs(release)
        self._events = []  # (time, what to do then)
        self._announced = {}
        self._faults = []
        self._store_faults = []
        self.requests = collections.Counter()  # (kind, outcome)
        self.own = collections.Counter()  # by what was done to the worker
        self.bad = []
        self.longest = collections.Counter()  # kind -> ns
        self.longest_silence = 0
        self._last_good = None

    # What happens.

    def announced(self, request_id, announcement):
        """PHP has begun with a request."""
        with self._lock:
            self._announced[request_id] = announcement

    def record(self, request):
        """A request is over."""
        self._at(request.end, lambda: self._judge(request))

    def killed(self, what, at, pids, room, until=None):
        """These workers die now, or at some moment before `until`; `room` of them can have a request."""
        with self._lock:
            self._faults.append(Fault(what, at, pids, room, until or at))

    def stillborn(self, what, at, until, others):
        """Whoever began between these times and is none of these masters could not start."""
        with self._lock:
            self._faults.append(Stillbirths(what, at, until, others))

    def store_fault(self, begin, end):
        """Sessions may fail in that time."""
        with self._lock:
            self._store_faults.append((begin, end))

    def may(self, release, now):
        """See Epochs."""
        self._at(now, lambda: self._epochs.may(release, now))

    def is_now(self, release, now):
        """See Epochs."""
        def check():
            if not self._epochs.is_now(release, now):
                self.bad.append(Bad("release %s serves, and nothing was to lead there" % release, None, None))
        self._at(now, check)

    def _at(self, time, act):
        with self._lock:
            self._events.append((time, act))

    # Verdicts.

    def work(self, now):
        """Judges what is old enough."""
        with self._lock:
            moment = now - self.DELAY
            due = sorted((event for event in self._events if event[0] <= moment), key=lambda event: event[0])
            self._events = [event for event in self._events if event[0] > moment]
            for _, act in due:
                act()
            self._faults = [fault for fault in self._faults if fault.until > moment - 120 * SECOND]

    def _judge(self, request):
        announcement = self._announced.pop(request.id, None)
        self.longest[request.kind] = max(self.longest[request.kind], request.end - request.begin)
        outcome = request.outcome
        if outcome == "lost":
            outcome = self._blame(request, announcement)
        elif outcome == "session" and self._in_store_fault(request):
            outcome = "store"
        elif outcome == "ok":
            outcome = self._place(request, announcement)
        if outcome in ("lost", "wrong", "session", "past"):
            self.bad.append(Bad(outcome, request, announcement))
        self.requests[request.kind, outcome] += 1

    def _place(self, request, announcement):
        """A good answer: of one release, which was allowed then?"""
        if self._last_good is not None:
            self.longest_silence = max(self.longest_silence, request.end - self._last_good)
        self._last_good = request.end
        if announcement is None or announcement.release != request.release:
            return "wrong"
        return "ok" if self._epochs.allows(request.release, request.begin, request.end) else "past"

    def _blame(self, request, announcement):
        """A loss is the killed worker's own, or lost."""
        for fault in reversed(self._faults):
            if fault.takes(request, announcement):
                self.own[fault.what] += 1
                return "own"
        return "lost"

    def _in_store_fault(self, request):
        return any(begin <= request.end and request.begin <= end for begin, end in self._store_faults)
