"""Which trigger to take when none is named, and which for weights that are trained already."""

from __future__ import annotations

from secateurs.core import SignalError, Trigger
from secateurs.when.combine import At, no_earlier_than, no_later_than
from secateurs.when.triggers import Below

_STILL = 0.04
"""Largest distance between masks that counts as none: a fifth of what masks of a tenth of the weights can have."""

_WINDOW = 5
"""Masks that are compared by default, one for each epoch: before there are so many the distance has no value."""


def default_trigger(*, epochs: int) -> Trigger:
    """The trigger that is taken where none is named, for a network that starts from random weights.

    It waits for the mask that pruning would give to come to rest, as Early-Bird does (You et al., 2020), but for less
    movement, and on weights: among the masks of the last five epochs, each a tenth of all weights by magnitude, none
    differs from the newest in more than 4 % of the entries. It fires no earlier than after a fifth of the run and no
    later than after two fifths (rounded to whole epochs, at least one), since what remains must suffice to recover.
    In runs of up to 13 epochs two fifths have passed when the window of five masks is full for the first time, or
    sooner: there the default is that moment alone, and no signal is measured.

    It was chosen on seven of the settings of the recipe ``benchmarks/when``, by validation accuracy, before the others
    were looked at; what it loses on those stands in ``docs/studies.md``. It reads ``mask_distance`` with its
    default options. For pretrained weights there is :func:`fine_tuning_trigger`.

    Args:
        epochs: epochs that the run has in all, at least 2.

    Raises:
        SignalError: when there are fewer.

    >>> trigger = default_trigger(epochs=80)
    >>> sorted(trigger.needs), trigger.triggers[1]
    (['mask_distance'], At(moment='32ep'))
    >>> default_trigger(epochs=10)
    At(moment='4ep')
    """
    if epochs < 2:
        raise SignalError(
            f"default_trigger: epochs must be at least 2, got {epochs!r}: in so short a run name a trigger of your own"
        )
    latest = max(1, (4 * epochs + 5) // 10)  # halves up
    if latest <= _WINDOW:
        return At(f"{latest}ep")
    earliest = max(1, (2 * epochs + 5) // 10)
    still = Below("mask_distance", _STILL, warm_up=0)
    return no_later_than(no_earlier_than(still, f"{earliest}ep"), f"{latest}ep")


def fine_tuning_trigger(moment: str | int = "1ep") -> Trigger:
    """When to prune weights that were trained before and are fine-tuned: at the end of the first epoch.

    The other triggers look for the end of the time in which a *randomly initialised* network
    changes most. Pretrained weights have that behind them: tr(F) and KL-uniform may fall from the first measurement
    on or never have a peak, and a change relative to the first epoch's is relative to a small one.
    So nothing is waited for but one epoch, after which a newly added head is no longer random and
    the gradients are those of the new task; all other epochs are left to recover in.

    Take a score that reads the new task's data, such as ``what="taylor"`` or ``"movement"``:
    magnitudes tell what mattered in pre-training. This is advice from how the method works; there is no measurement
    of ours behind the moment or the score.

    Args:
        moment: another one: ``"2ep"``, ``"500it"``, or epochs.

    Raises:
        SignalError: when the moment is not understood.

    >>> fine_tuning_trigger()
    At(moment='1ep')
    """
    return At(moment)
