"""One of the things that happen side by side in the soak: a thread that draws one action after the other."""

import collections
import itertools
import random
import threading
import traceback

DRAW = 4  # numbers from 0 to 1 for each action


def draws(seed, name, kinds, pause):
    """Endless (seconds to wait, kind, numbers): the same for the same seed, whatever comes of the actions.

    kinds: {kind: weight}; pause: seconds on average.
    """
    chance = random.Random("%s %s" % (seed, name))
    for _ in itertools.count():
        yield (chance.expovariate(1 / pause), chance.choices(list(kinds), kinds.values())[0],
               [chance.random() for _ in range(DRAW)])


class Lane(threading.Thread):
    """Carries out act(kind, numbers) for each of its draws until the soak is over, but not while `busy` is held."""

    def __init__(self, soak, name, kinds, pause, act):
        super().__init__(name=name, daemon=True)
        self._soak, self._act = soak, act
        self._draws = draws(soak.seed, name, kinds, pause)
        self.busy = threading.Lock()
        self.count = collections.Counter()

    def run(self):
        try:
            for wait, kind, numbers in self._draws:
                if self._soak.over.wait(wait):
                    break
                with self.busy:
                    if not self._soak.over.is_set():
                        self._step(kind, numbers)
        except BaseException:
            self._soak.broke("%s: %s" % (self.name, traceback.format_exc()))
        # Processes that this thread has started end with it.
        self._soak.released.wait()

    def _step(self, kind, numbers):
        action = self._soak.began(self.name, kind.__name__, numbers)
        said = self._act(kind, numbers)
        self.count[kind.__name__] += 1
        self._soak.ended(action, said)
