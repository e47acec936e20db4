"""Training for a multiple of the time, with all that is said in time stretched alike (P2 section 3.3.6)."""

from __future__ import annotations

from fractions import Fraction

from secateurs.core import Moment, TrainingError
from secateurs.train.schedules import Exponential, Schedule, Step


def dilated_epochs(epochs: int, factor: float) -> int:
    """The whole number of epochs, at least 1, that is nearest to ``factor * epochs``; halves go up.

    Raises:
        TrainingError: when the factor is not positive.

    >>> dilated_epochs(160, 0.3), dilated_epochs(5, 0.7), dilated_epochs(2, 0.2)
    (48, 4, 1)
    """
    if not 0 < factor < float("inf"):
        raise TrainingError(f"dilated: factor: expected a number above 0, got {factor!r}")
    # The decimals that were written: 0.7 * 45 is 31.5.
    return max(1, int(Fraction(repr(float(factor))) * epochs + Fraction(1, 2)))


def dilated_moment(moment: int | str, ratio: Fraction, steps_per_epoch: int | None) -> int | str:
    """A moment at ``ratio`` times its time: to the nearest step, and not at step 0 where it was not there.

    Raises:
        TrainingError: when it would be within an epoch, and nobody says how many steps one has.

    >>> dilated_moment("32000it", Fraction(1, 3), None), dilated_moment(120, Fraction(1, 4), None)
    ('10667it', 30)
    >>> dilated_moment("5ep", Fraction(1, 2), 391)
    '978it'
    """
    epochs, steps = _parts(moment)
    if not steps and (epochs * ratio).denominator == 1:
        return int(epochs * ratio)
    if epochs and steps_per_epoch is None:
        raise TrainingError(
            f"dilated: {moment} becomes {float(epochs * ratio):.4g} epochs: pass steps_per_epoch=, "
            "settings.steps_per_epoch(data.train), or write it in steps, such as '500it'"
        )
    exact = (epochs * (steps_per_epoch or 0) + steps) * ratio
    return f"{max(int(exact + Fraction(1, 2)), int(exact > 0))}it"


def dilated_schedule(schedule: Schedule, ratio: Fraction, steps_per_epoch: int | None) -> Schedule:
    """A schedule that has the same rates at ``ratio`` times the time.

    Those that run to the end of training (cosine, linear, one-cycle) and the constant one do so by themselves.

    >>> dilated_schedule(Exponential(gamma=0.81), Fraction(2), None).gamma
    0.9
    """
    if isinstance(schedule, Exponential):
        return Exponential(**{**dict(schedule), "gamma": schedule.gamma ** float(1 / ratio)})
    if isinstance(schedule, Step):
        moments = (dilated_moment(milestone, ratio, steps_per_epoch) for milestone in schedule.milestones)
        return Step(**{**dict(schedule), "milestones": tuple(moments)})
    return schedule


def _parts(moment: int | str) -> tuple[int, int]:
    """Epochs and steps as they are written."""
    none, one = Moment.parse(moment, 1), Moment.parse(moment, 2)
    epochs = one.steps - none.steps  # written epochs count once more with each step an epoch has
    return epochs, none.steps - epochs
