"""Moments: time is a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from secateurs.core.errors import TrainingError

_MOMENT = re.compile(r"^(?:(?P<ep>\d+)ep)?(?:(?P<it>\d+)it)?$")


@total_ordering
@dataclass(frozen=True)
class Moment:
    """A moment of a run: optimiser steps done so far, and how many make an epoch.

    >>> Moment.parse("12ep", steps_per_epoch=10)
    Moment(steps=120, steps_per_epoch=10)
    >>> str(Moment.parse("125it", steps_per_epoch=10))
    '12ep5it'
    >>> Moment.parse("3ep", 10) < Moment.parse("31it", 10)
    True
    """

    steps: int
    steps_per_epoch: int

    def __post_init__(self) -> None:
        if self.steps < 0 or self.steps_per_epoch < 1:
            raise TrainingError(
                f"a moment needs steps >= 0 and steps_per_epoch >= 1, got {self.steps} and {self.steps_per_epoch}"
            )

    @classmethod
    def parse(cls, text: str | int | Moment, steps_per_epoch: int) -> Moment:
        """Resolve ``"12ep"``, ``"500it"``, ``"12ep50it"`` or a bare number of epochs.

        Raises:
            TrainingError: when the text is none of these forms.
        """
        if isinstance(text, Moment):
            return text
        if isinstance(text, int):
            return cls(text * steps_per_epoch, steps_per_epoch)
        match = _MOMENT.match(text.strip())
        if not match or not text.strip():
            raise TrainingError(f"moment {text!r} is not understood: write '12ep', '500it' or '12ep50it'")
        epochs, steps = int(match["ep"] or 0), int(match["it"] or 0)
        return cls(epochs * steps_per_epoch + steps, steps_per_epoch)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.steps // self.steps_per_epoch

    @property
    def step(self) -> int:
        """Steps done inside the current epoch."""
        return self.steps % self.steps_per_epoch

    @property
    def epochs(self) -> float:
        """The moment as a fractional number of epochs."""
        return self.steps / self.steps_per_epoch

    def __add__(self, steps: int) -> Moment:
        return Moment(self.steps + steps, self.steps_per_epoch)

    def __lt__(self, other: Moment) -> bool:
        if self.steps_per_epoch != other.steps_per_epoch:
            raise TrainingError(
                f"moments of different runs cannot be compared: {self.steps_per_epoch} and "
                f"{other.steps_per_epoch} steps per epoch"
            )
        return self.steps < other.steps

    def __str__(self) -> str:
        return f"{self.epoch}ep" + (f"{self.step}it" if self.step else "")
