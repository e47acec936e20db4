"""The pruning times of published methods, put together from the triggers."""

from __future__ import annotations

import math

from secateurs.core import SignalError, Trigger
from secateurs.when.combine import no_later_than
from secateurs.when.triggers import Below, within


def early_crop_trigger(density: float, epochs: int, threshold: float | None = None) -> Trigger:
    """EarlyCroP's (P1 section 4.3): the weights move less than the share th = 1 - sparsity of their first epoch.

    Reads ``weight_change``. Never later than half of the run of ``epochs``: P1 has a longest dense
    phase, too, but does not say how long. The higher the sparsity, the longer the dense phase.

    Args:
        density: to which is pruned, 1 - sparsity.
        epochs: of the run.
        threshold: th; the density by default.

    Raises:
        SignalError: when the density lies outside (0, 1], there is no whole epoch in half the run, or
            the threshold is not finite.

    >>> trigger = early_crop_trigger(density=0.1, epochs=80)
    >>> sorted(trigger.needs), trigger.triggers[1]
    (['weight_change'], At(moment='40ep'))
    """
    if not 0 < density <= 1 or epochs < 2:
        raise SignalError(
            "early_crop_trigger: density must lie in (0, 1] and epochs be at least 2, got "
            f"density={density!r}, epochs={epochs!r}"
        )
    # No warm-up: the first value is 1 by definition, or has a meaning (form="algorithm").
    return no_later_than(
        Below("weight_change", density if threshold is None else threshold, warm_up=0), f"{epochs // 2}ep"
    )


def early_bird_trigger(threshold: float = 0.1) -> Trigger:
    """Early-Bird's (You et al., 2020): every distance in a full window of masks is at most ``threshold``.

    Reads ``mask_distance``, which has no value before the window is full.

    Raises:
        SignalError: when the threshold is negative or not finite.

    >>> from secateurs.core import Moment
    >>> trigger = early_bird_trigger(0.1)
    >>> [trigger.update(trigger.init(), Moment(5, 1), {"mask_distance": value})[1] for value in (0.1, 0.11)]
    [True, False]
    """
    if not within(threshold, 0):
        raise SignalError(f"early_bird_trigger: expected a threshold of at least 0, got {threshold!r}")
    return Below("mask_distance", math.nextafter(threshold, math.inf), warm_up=0)  # Below is strict, Early-Bird is not
