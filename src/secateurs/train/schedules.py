"""Learning-rate schedules: small frozen values that say the rate relative to a maximum.

A schedule is anchored at a moment ``start`` with a maximum rate, and ends at the run's ``end``.
After pruning at t the anchor moves to t and the maximum to max(Lambda, LR(t)) (P0 section 3):
cosine and linear begin anew and reach 0 at the end, or the floor of the line; the others go on where they were.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from secateurs.core import Moment
from secateurs.train.frozen import MomentText, Settings, named

Per = Literal["epoch", "step"]


class Exponential(Settings):
    """The rate is multiplied by ``gamma`` after every epoch."""

    name: Literal["exponential"] = "exponential"
    gamma: float = Field(0.97, gt=0, le=1)

    def factor(self, start: Moment, now: Moment, end: Moment) -> float:
        """Rate at ``now`` relative to the maximum, in a schedule from ``start`` to ``end``."""
        del end
        return float(self.gamma ** (now.epoch - start.epoch))


class Cosine(Settings):
    """Half a cosine from the start of the schedule to 0 at the run's end, changed every epoch or every step."""

    name: Literal["cosine"] = "cosine"
    per: Per = "epoch"

    def factor(self, start: Moment, now: Moment, end: Moment) -> float:
        """Rate at ``now`` relative to the maximum, in a schedule from ``start`` to ``end``."""
        done, total = _span(start, now, end, self.per)
        return (1 + math.cos(math.pi * done / total)) / 2


class Linear(Settings):
    """A straight line from the start of the schedule to 0 at the run's end, changed every epoch or every step.

    Attributes:
        floor: the line ends at this share of the run's own maximum instead (of P2's Inception-v3: from 0.03 to 0.005
            is 1/6), also where it begins anew after pruning. Where Lambda raises the rate there, the whole of what is
            left is raised in the same proportion, its end included. Only settings that say so have a floor: the keys
            of other jobs are what they would be without.

    >>> schedule, end = Linear(floor=0.2), Moment(4, 1)
    >>> [round(schedule.factor(Moment(0, 1), Moment(epoch, 1), end), 9) for epoch in range(5)]
    [1.0, 0.8, 0.6, 0.4, 0.2]
    >>> round(0.6 * schedule.factor(Moment(2, 1), end, end), 9)  # pruned at 2, where the rate is 0.6
    0.2
    """

    name: Literal["linear"] = "linear"
    per: Per = "epoch"
    floor: float = Field(0.0, ge=0, le=1)

    @model_serializer(mode="wrap")
    def _floor_where_there_is_one(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = whole(self)
        return said if self.floor else {name: value for name, value in said.items() if name != "floor"}

    def factor(self, start: Moment, now: Moment, end: Moment) -> float:
        """Rate at ``now`` relative to the maximum, in a schedule from ``start`` to ``end``."""
        done, total = _span(start, now, end, self.per)
        return 1 - (1 - self._floor_from(start, end)) * (done / total)

    def _floor_from(self, start: Moment, end: Moment) -> float:
        """The floor relative to the rate that the whole run's line has at ``start``."""
        if not self.floor:
            return 0.0
        done, total = _span(Moment(0, start.steps_per_epoch), start, end, self.per)
        return self.floor / (1 - (1 - self.floor) * (done / total))


class Step(Settings):
    """The rate is multiplied by ``gamma`` at each milestone of the whole run: epochs, or moments like ``"32000it"``."""

    name: Literal["step"] = "step"
    milestones: tuple[MomentText, ...]
    gamma: float = Field(0.1, gt=0, le=1)

    def factor(self, start: Moment, now: Moment, end: Moment) -> float:
        """Rate at ``now`` relative to the maximum, in a schedule from ``start`` to ``end``."""
        del end
        moments = (Moment.parse(milestone, now.steps_per_epoch) for milestone in self.milestones)
        return float(self.gamma ** sum(start < moment <= now for moment in moments))


class Constant(Settings):
    """The rate stays."""

    name: Literal["constant"] = "constant"

    def factor(self, start: Moment, now: Moment, end: Moment) -> float:
        """Always 1."""
        del start, now, end
        return 1.0


class OneCycle(Settings):
    """One cycle over the steps of the whole run (Smith & Topin 2019), as torch's ``OneCycleLR`` with cosines has it.

    The rate rises from maximum / ``div_factor`` to the maximum during the first ``pct_start`` of
    the steps and falls to maximum / (``div_factor`` * ``final_div_factor``) at the last one.
    Momentum is not cycled.

    The cycle belongs to the run and does not begin anew after pruning: a network pruned on the
    way up still gets the full rate, one pruned on the way down goes on down.
    """

    name: Literal["one_cycle"] = "one_cycle"
    pct_start: float = Field(0.3, gt=0, lt=1)
    div_factor: float = Field(25.0, ge=1)
    final_div_factor: float = Field(1e4, ge=1)

    def factor(self, start: Moment, now: Moment, end: Moment) -> float:
        """Rate at ``now`` relative to the maximum, which is the highest rate from ``start`` on."""
        return self._cycle(now.steps, end) / self._cycle(max(self._top(end), start.steps), end)

    def highest(self, start: Moment, now: Moment, end: Moment) -> float:
        """The highest rate from ``now`` on, relative to the highest one from ``start`` on."""
        top = self._top(end)
        return self._cycle(max(top, now.steps), end) / self._cycle(max(top, start.steps), end)

    def _top(self, end: Moment) -> float:
        """Where the maximum is, in steps, maybe between two of them; a run too short to rise begins there."""
        return max(0.0, self.pct_start * end.steps - 1)

    def _cycle(self, step: float, end: Moment) -> float:
        top, last = self._top(end), end.steps - 1
        first, final = 1 / self.div_factor, 1 / (self.div_factor * self.final_div_factor)
        step = min(step, last)  # At the run's end no step follows.
        if step <= top:
            return _bent(first, 1.0, step / top if top else 1.0)
        return _bent(1.0, final, (step - top) / (last - top))


def _bent(start: float, end: float, part: float) -> float:
    """From ``start`` to ``end`` along half a cosine."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * part))


def _span(start: Moment, now: Moment, end: Moment, per: Per) -> tuple[int, int]:
    """How much of the schedule is done, and how much there is; in epochs or steps, at least 1."""
    if per == "step":
        return now.steps - start.steps, max(1, end.steps - start.steps)
    return now.epoch - start.epoch, max(1, end.epoch - start.epoch)


Schedule = Annotated[
    Exponential | Cosine | Linear | Step | Constant | OneCycle, Field(discriminator="name"), BeforeValidator(named)
]
"""A schedule by name (alone, or with options)."""


def highest_factor(schedule: Schedule, start: Moment, now: Moment, end: Moment) -> float:
    """The highest rate that ``schedule`` has from ``now`` on, relative to its maximum.

    All families but the one-cycle only fall: there it is the rate at ``now``.
    """
    if isinstance(schedule, OneCycle):
        return schedule.highest(start, now, end)
    return schedule.factor(start, now, end)
