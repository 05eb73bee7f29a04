"""Which faults a test takes, and how it goes through them."""

import time

import container as machinery
from faults import faults_of, one_of_each, where

FEW, FEW_SLOW = 24, 8  # faults for each test, without ALL=1
SLOW = ("trial_run", "drain_run", "vigil_run")  # when they die, another one is started after a second


def chosen(recorded, who, dice, everything, slow=False):
    """The faults of a test."""
    faults = [fault for fault in faults_of(recorded, dice) if fault.who == who]
    return faults if everything else one_of_each(faults, dice)[:FEW_SLOW if slow or who in SLOW else FEW]


def text_of(fault):
    """For people."""
    return "%s: call %d of %s() at %s: %s" % (
        fault.who, fault.at, fault.call, where(machinery.BUILT, fault.place), fault.error)


def go_through(faults, run):
    """run(fault) is (did it happen?, complaints, what happened) for each of them."""
    happened, complaints = 0, []
    for fault in faults:
        began = time.monotonic()
        fired, found, story = run(fault)
        print("%4.1fs %s -> %s" % (time.monotonic() - began, text_of(fault), story if fired else "did not happen"))
        happened += fired
        complaints += ["%s: %s" % (text_of(fault), one) for one in found]
    print("%d of %d faults happened" % (happened, len(faults)))
    assert not complaints, "%d complaints:\n%s" % (len(complaints), "\n".join(complaints))
    # The others were meant for a call that chance did not lead to.
    assert happened >= len(faults) / 2, "only %d of %d faults happened" % (happened, len(faults))
