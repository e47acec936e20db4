"""Triggers of time, and triggers made of triggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from secateurs.core import Moment, SignalError, TrainingError, Trigger, TriggerState


@dataclass(frozen=True)
class At:
    """Fires at the first update at or after ``moment``: ``"12ep"``, ``"500it"``, ``"12ep50it"`` or epochs.

    Raises:
        SignalError: when the moment is none of these.

    >>> At("2ep").update({}, Moment(25, steps_per_epoch=10), {})
    ({}, True)
    """

    moment: str | int

    def __post_init__(self) -> None:
        if not isinstance(self.moment, str | int):
            raise SignalError(f"{self}: a moment is written '12ep', '500it', '12ep50it' or 12")
        try:
            Moment.parse(self.moment, steps_per_epoch=1)
        except TrainingError as error:
            raise SignalError(f"{self}: {error}") from error

    @property
    def needs(self) -> frozenset[str]:
        return frozenset()

    def init(self) -> TriggerState:
        return {}

    def update(self, state: TriggerState, moment: Moment, values: Mapping[str, float]) -> tuple[TriggerState, bool]:  # noqa: ARG002
        return state, moment >= Moment.parse(self.moment, moment.steps_per_epoch)


@dataclass(frozen=True)
class Together:
    """Fires when ``required`` of the triggers have fired so far; each sees every measurement and stays fired.

    Made by :func:`any_of`, :func:`all_of`, :func:`no_later_than` and :func:`no_earlier_than`.
    """

    triggers: tuple[Trigger, ...]
    required: int

    def __post_init__(self) -> None:
        if not self.triggers:
            raise SignalError("any_of and all_of need at least one trigger")

    @property
    def needs(self) -> frozenset[str]:
        return frozenset().union(*(trigger.needs for trigger in self.triggers))

    def init(self) -> TriggerState:
        return {"triggers": [trigger.init() for trigger in self.triggers], "fired": [False] * len(self.triggers)}

    def update(self, state: TriggerState, moment: Moment, values: Mapping[str, float]) -> tuple[TriggerState, bool]:
        steps = [t.update(s, moment, values) for t, s in zip(self.triggers, state["triggers"], strict=True)]
        fired = [now or before for (_, now), before in zip(steps, state["fired"], strict=True)]
        return {"triggers": [inner for inner, _ in steps], "fired": fired}, sum(fired) >= self.required


def no_later_than(trigger: Trigger, moment: str | int) -> Trigger:
    """``trigger`` with an upper bound: fires at the first update at or after ``moment``, if not before.

    The bound holds also where the signal that ``trigger`` needs is missing.

    >>> from secateurs.when import Peak
    >>> bounded = no_later_than(Peak("fisher_trace"), "60ep")
    >>> bounded.update(bounded.init(), Moment.parse("60ep", 10), {})[1]
    True
    """
    return any_of(trigger, At(moment))


def no_earlier_than(trigger: Trigger, moment: str | int) -> Trigger:
    """``trigger`` with a lower bound: if it fires before ``moment``, the first update at or after ``moment`` counts.

    It sees every measurement from the start, so that a peak before ``moment`` is not missed.

    >>> bounded = no_earlier_than(At("1ep"), "5ep")
    >>> [bounded.update(bounded.init(), Moment.parse(epoch, 10), {})[1] for epoch in (1, 4, 5)]
    [False, False, True]
    """
    return all_of(trigger, At(moment))


def any_of(*triggers: Trigger) -> Trigger:
    """Fires as soon as one of the triggers fires.

    >>> any_of(At("5ep"), At("3ep")).needs
    frozenset()
    """
    return Together(triggers, required=1)


def all_of(*triggers: Trigger) -> Trigger:
    """Fires when every trigger has fired, not necessarily at one moment: each stays fired.

    >>> both = all_of(At("5ep"), At("3ep"))
    >>> [both.update(both.init(), Moment.parse(epoch, 10), {})[1] for epoch in (3, 5)]
    [False, True]
    """
    return Together(triggers, required=len(triggers))
