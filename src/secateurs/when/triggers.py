"""Triggers: decide from measured signals, one measurement at a time, that now is the moment to prune.

A trigger is a frozen value; what it remembers is an explicit, JSON-ready state that ``init``
makes and ``update`` hands on, never changing the one it was given. So a run can be stopped and
resumed, and :func:`secateurs.when.replay.replay` decides from a log exactly what the trigger
would have decided live. **The decision is the first True**; what ``update`` returns after it
means nothing.

A measurement is an ``update`` whose ``values`` hold the trigger's signal as a finite number.
Rows without it (the signal is measured more rarely) and rows where it is not finite (the run
has diverged) count as no measurement: the state stays as it was and nothing fires.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from secateurs.core import Moment, SignalError, Spec, TrainingError, Trigger, TriggerState, did_you_mean


@dataclass(frozen=True)
class Peak:
    """Fires when a signal has passed its maximum: for tr(F) and KL-uniform what P0 calls the inflection point.

    The signal is smoothed by the trailing mean of ``smoothing`` measurements; there is no
    smoothed value before there are so many. Fires at the first measurement at which the maximum
    of the smoothed signal has stood unbeaten for at least ``patience`` measurements (equalled is
    not beaten) and (max - current) / abs(max), current smoothed too, is at least ``min_drop``.

    Args:
        signal: name of the signal.
        patience: measurements that the maximum must stand, at least 1.
        min_drop: relative drop below the maximum, at least 0.
        smoothing: measurements in the trailing mean, at least 1.
        warm_up: first measurements to ignore: those of an untrained network can spike.

    Raises:
        SignalError: when an argument is out of its range.

    >>> trigger = Peak("fisher_trace", patience=1)
    >>> state = trigger.init()
    >>> for epoch, value in enumerate([9.0, 1.0, 3.0, 2.0]):
    ...     state, fired = trigger.update(state, Moment.parse(epoch, 10), {"fisher_trace": value})
    >>> fired, state
    (True, {'seen': 4, 'window': [2.0], 'best': 3.0, 'since': 1})
    """

    signal: str
    patience: int = 2
    min_drop: float = 0.02
    smoothing: int = 1
    warm_up: int = 1

    def __post_init__(self) -> None:
        _at_least(self, 1, patience=self.patience, smoothing=self.smoothing)
        _at_least(self, 0, min_drop=self.min_drop, warm_up=self.warm_up)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({self.signal})

    def init(self) -> TriggerState:
        return {"seen": 0, "window": [], "best": None, "since": 0}

    def update(self, state: TriggerState, moment: Moment, values: Mapping[str, float]) -> tuple[TriggerState, bool]:  # noqa: ARG002
        value = _measured(values, self.signal)
        if value is None:
            return state, False
        state = {**state, "seen": state["seen"] + 1}
        if state["seen"] <= self.warm_up:
            return state, False
        window = [*state["window"], value][-self.smoothing :]
        state["window"] = window
        if len(window) < self.smoothing:
            return state, False
        current, best = sum(window) / len(window), state["best"]
        if best is None or current > best:
            return {**state, "best": current, "since": 0}, False
        state["since"] += 1
        return state, state["since"] >= self.patience and _relative_drop(best, current) >= self.min_drop


@dataclass(frozen=True)
class Below:
    """Fires at the ``patience``-th measurement in a row below ``threshold`` (strictly).

    The first ``warm_up`` measurements are ignored.

    Raises:
        SignalError: when an argument is out of its range.

    >>> trigger = Below("loss", 0.5, warm_up=0)
    >>> trigger.update(trigger.init(), Moment(0, 10), {"loss": 0.4})
    ({'seen': 1, 'run': 1}, True)
    """

    signal: str
    threshold: float
    patience: int = 1
    warm_up: int = 1

    def __post_init__(self) -> None:
        _at_least(self, -math.inf, threshold=self.threshold)
        _at_least(self, 1, patience=self.patience)
        _at_least(self, 0, warm_up=self.warm_up)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({self.signal})

    def init(self) -> TriggerState:
        return {"seen": 0, "run": 0}

    def update(self, state: TriggerState, moment: Moment, values: Mapping[str, float]) -> tuple[TriggerState, bool]:  # noqa: ARG002
        value = _measured(values, self.signal)
        if value is None:
            return state, False
        seen = state["seen"] + 1
        run = state["run"] + 1 if seen > self.warm_up and value < self.threshold else 0
        return {"seen": seen, "run": run}, run >= self.patience


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


TRIGGERS: dict[str, type[Peak] | type[Below] | type[At]] = {"peak": Peak, "below": Below, "at": At}
"""The only place where a name means a trigger."""


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


def trigger_of(spec: Spec) -> Trigger:
    """The trigger that ``spec`` names; the options ``no_earlier_than`` and ``no_later_than`` bound it.

    Raises:
        SignalError: for an unknown name, or options out of their range.

    >>> trigger_of(Spec("peak", {"signal": "kl_uniform", "no_later_than": "60ep"})).needs
    frozenset({'kl_uniform'})
    """
    if spec.name not in TRIGGERS:
        raise SignalError(f"unknown trigger {spec.name!r}{did_you_mean(spec.name, TRIGGERS)}")
    options = dict(spec.options)
    lower, upper = options.pop("no_earlier_than", None), options.pop("no_later_than", None)
    trigger: Trigger = TRIGGERS[spec.name](**options)
    trigger = trigger if lower is None else no_earlier_than(trigger, lower)
    return trigger if upper is None else no_later_than(trigger, upper)


def _measured(values: Mapping[str, float], signal: str) -> float | None:
    value = values.get(signal)
    return float(value) if value is not None and math.isfinite(value) else None


def _relative_drop(best: float, current: float) -> float:
    if best == 0:
        return math.inf if current < 0 else 0.0
    return (best - current) / abs(best)


def _at_least(trigger: object, low: float, **arguments: float) -> None:
    for name, value in arguments.items():
        if not low <= value < math.inf:
            raise SignalError(f"{trigger}: {name}: expected a finite number of at least {low}, got {value!r}")
