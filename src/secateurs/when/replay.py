"""What a trigger would have done, from the log of a run."""

from __future__ import annotations

from itertools import pairwise

from secateurs.core import Log, Moment, SignalError, Trigger, did_you_mean


def replay(trigger: Trigger, log: Log) -> Moment | None:
    """The moment at which ``trigger`` would have fired, None if never.

    The result is that of the live run whose measurements ``log`` holds.

    Raises:
        SignalError: when the log is not in order of time, or when the trigger did not fire and a
            signal that it needs stands nowhere in the log: then "never" would be no finding.

    >>> from secateurs.when.triggers import Peak
    >>> values = [9.0, 1.0, 3.0, 2.0, 1.0]
    >>> str(replay(Peak("kl_uniform"), [(Moment.parse(i, 10), {"kl_uniform": v}) for i, v in enumerate(values)]))
    '4ep'
    """
    for (before, _), (after, _) in pairwise(log):
        if after < before:
            raise SignalError(f"replay: the log is not in order of time: {after} stands after {before}")
    state = trigger.init()
    for moment, values in log:
        state, fired = trigger.update(state, moment, values)
        if fired:
            return moment
    logged = frozenset(name for _, values in log for name in values)
    for missing in sorted(trigger.needs - logged):
        raise SignalError(
            f"replay: {trigger} needs the signal {missing!r}, which the log does not hold: measure it in the run, "
            f"or choose a trigger for what is there{did_you_mean(missing, logged)}"
        )
    return None
