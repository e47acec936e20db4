"""Whether a trigger fired because of what it measured, or only because its time was up."""

from __future__ import annotations

from secateurs.core import Log, Trigger
from secateurs.when.combine import At, Together


def bounds_of(trigger: Together) -> tuple[tuple[Trigger, ...], tuple[At, ...]]:
    """What a trigger made of others waits for, and what bounds it: upper bounds in an any-of, lower ones in an all-of.

    A moment bounds only what reads signals: where there is nothing else, moments are what is waited for. So they are
    where some of the triggers are enough, but not one.

    >>> from secateurs.when import At, Peak, any_of
    >>> bounds_of(any_of(Peak("loss"), At("5ep")))[1], bounds_of(any_of(At("3ep"), At("5ep")))[1]
    ((At(moment='5ep'),), ())
    """
    if not trigger.needs or trigger.required not in (1, len(trigger.triggers)):
        return trigger.triggers, ()
    waits = tuple(each for each in trigger.triggers if not isinstance(each, At))
    return waits, tuple(each for each in trigger.triggers if isinstance(each, At))


def unbounded(trigger: Trigger) -> Trigger | None:
    """``trigger`` without its upper bounds; None when nothing but time is left of it.

    An upper bound is what reads no signal and fires instead of what does: an ``At`` in an any-of. A
    lower bound stays.

    >>> from secateurs.when import At, Peak, no_later_than
    >>> unbounded(no_later_than(Peak("loss"), "5ep")) == Peak("loss"), unbounded(At("5ep")) is None
    (True, True)
    """
    if not trigger.needs:
        return None
    if not isinstance(trigger, Together):
        return trigger
    waits, bounds = bounds_of(trigger)
    each = [(inner, unbounded(inner)) for inner in waits]
    if trigger.required == 1:
        left = [free for _, free in each if free is not None]
    else:  # what is time alone holds the others back, and stays
        left = [*(free or inner for inner, free in each), *bounds]
    return left[0] if len(left) == 1 else Together(tuple(left), trigger.required)


def reached_bound(trigger: Trigger, log: Log) -> bool:
    """Whether ``trigger`` fires in ``log`` and would not have without its upper bounds, not then.

    False for a trigger that reads no signal: its time is all that it is.

    >>> from secateurs.core import Moment
    >>> from secateurs.when import Below, no_later_than
    >>> log = [(Moment.parse(epoch, 10), {"loss": 1.0 / (1 + epoch)}) for epoch in range(6)]
    >>> reached_bound(no_later_than(Below("loss", 0.3), "5ep"), log)  # 0.25 at epoch 3
    False
    >>> reached_bound(no_later_than(Below("loss", 0.3), "2ep"), log)
    True
    """
    free = unbounded(trigger)
    if free is None:
        return False
    state, own = trigger.init(), free.init()
    for moment, values in log:
        state, fired = trigger.update(state, moment, values)
        own, fired_itself = free.update(own, moment, values)
        if fired:
            return not fired_itself
    return False
