"""A trigger written out for a person, in a few words."""

from __future__ import annotations

from secateurs.core import Trigger
from secateurs.when.bounds import bounds_of
from secateurs.when.combine import At, Together
from secateurs.when.triggers import Below, Peak, Settled
from secateurs.when.words import limit, moment_in_words, threshold, times


def describe(trigger: Trigger) -> str:
    """What ``trigger`` waits for; one of a class that is not from here is told by its repr.

    >>> from secateurs.when import default_trigger, no_later_than
    >>> describe(default_trigger(epochs=30))
    'mask_distance below 0.04, from epoch 6 to 12 at the latest'
    >>> describe(no_later_than(Peak("fisher_trace"), "10ep"))
    'fisher_trace 2 % below its maximum, unbeaten for 2 measurements, no later than epoch 10'
    """
    inner, upper = _peeled(trigger, 1)
    inner, lower = _peeled(inner, 2)
    words = [_plain(inner)]
    if lower and upper:
        first, last = moment_in_words(lower.moment), moment_in_words(upper.moment)
        words.append(f"from {first} to {_behind(first, last)} at the latest")
    elif lower:
        words.append(f"not before {moment_in_words(lower.moment)}")
    elif upper:
        words.append(f"no later than {moment_in_words(upper.moment)}")
    return ", ".join(words)


def smoothed(trigger: Peak | Settled) -> str:
    """The signal that a trigger reads, as it reads it.

    >>> smoothed(Peak("loss", smoothing=3))
    'loss (mean of 3 measurements)'
    """
    if trigger.smoothing == 1:
        return trigger.signal
    return f"{trigger.signal} (mean of {trigger.smoothing} measurements)"


def _peeled(trigger: Trigger, required: int) -> tuple[Trigger, At | None]:
    """One trigger and the bound around it, upper (1 of them is required) or lower (both are); no other bound."""
    if isinstance(trigger, Together) and len(trigger.triggers) == 2 and trigger.required == required:
        waits, bounds = bounds_of(trigger)
        if bounds:
            return waits[0], bounds[0]
    return trigger, None


def _plain(trigger: Trigger) -> str:
    if isinstance(trigger, Together):
        inner = [f"({describe(each)})" if isinstance(each, Together) else describe(each) for each in trigger.triggers]
        if trigger.required not in (1, len(inner)):
            return f"{trigger.required} of {len(inner)}: {'; '.join(inner)}"
        return (", or " if trigger.required == 1 else ", and ").join(inner)
    if isinstance(trigger, At):
        return moment_in_words(trigger.moment)
    if isinstance(trigger, Below):
        row = f", {times(trigger.patience, 'measurement')} in a row" if trigger.patience > 1 else ""
        return f"{trigger.signal} {threshold(trigger.threshold)[0]}{row}"
    if isinstance(trigger, Peak):
        drop = f"{limit(trigger.min_drop)} below" if trigger.min_drop else "past"
        return f"{smoothed(trigger)} {drop} its maximum, unbeaten for {times(trigger.patience, 'measurement')}"
    if isinstance(trigger, Settled):
        often = times(trigger.patience, "time")
        return f"{smoothed(trigger)} changing by at most {limit(trigger.tolerance)}, {often} in a row"
    return repr(trigger)


def _behind(first: str, last: str) -> str:
    """The last of two moments, without the unit that the first has, too."""
    unit = f"{last.partition(' ')[0]} "
    return last.removeprefix(unit) if first.startswith(unit) else last
