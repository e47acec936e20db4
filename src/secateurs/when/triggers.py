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
from numbers import Real

from secateurs.core import Moment, SignalError, TriggerState
from secateurs.when.combine import At as At
from secateurs.when.combine import all_of as all_of
from secateurs.when.combine import any_of as any_of
from secateurs.when.combine import no_earlier_than as no_earlier_than
from secateurs.when.combine import no_later_than as no_later_than


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
class Settled:
    """Fires when a signal has stopped changing, at whatever height.

    The signal is smoothed by the trailing mean of ``smoothing`` measurements; there is no
    smoothed value s before there are so many. Fires at the first measurement at which
    ``|s_t - s_(t-1)| / max(|s_t|, |s_(t-1)|)``, in [0, 2] and 0 between zeros, has been at most
    ``tolerance`` for ``patience`` measurements in a row.

    Args:
        signal: name of the signal.
        tolerance: largest relative change between measurements that counts as none, at least 0.
        patience: such changes in a row, at least 1.
        smoothing: measurements in the trailing mean, at least 1.
        warm_up: first measurements to ignore.

    Raises:
        SignalError: when an argument is out of its range.

    >>> trigger = Settled("loss", warm_up=0)
    >>> state = trigger.init()
    >>> for epoch, value in enumerate([2.0, 1.0, 0.98, 0.97]):
    ...     state, fired = trigger.update(state, Moment.parse(epoch, 10), {"loss": value})
    >>> fired, state
    (True, {'seen': 4, 'window': [0.97], 'last': 0.97, 'run': 2})
    """

    signal: str
    tolerance: float = 0.05
    patience: int = 2
    smoothing: int = 1
    warm_up: int = 1

    def __post_init__(self) -> None:
        _at_least(self, 0, tolerance=self.tolerance, warm_up=self.warm_up)
        _at_least(self, 1, patience=self.patience, smoothing=self.smoothing)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({self.signal})

    def init(self) -> TriggerState:
        return {"seen": 0, "window": [], "last": None, "run": 0}

    def update(self, state: TriggerState, moment: Moment, values: Mapping[str, float]) -> tuple[TriggerState, bool]:  # noqa: ARG002
        value = _measured(values, self.signal)
        if value is None:
            return state, False
        state = {**state, "seen": state["seen"] + 1}
        if state["seen"] <= self.warm_up:
            return state, False
        state["window"] = [*state["window"], value][-self.smoothing :]
        if len(state["window"]) < self.smoothing:
            return state, False
        current, last = sum(state["window"]) / self.smoothing, state["last"]
        still = last is not None and _relative_change(last, current) <= self.tolerance
        run = state["run"] + 1 if still else 0
        return {**state, "last": current, "run": run}, run >= self.patience


def _measured(values: Mapping[str, float], signal: str) -> float | None:
    value = values.get(signal)
    return float(value) if value is not None and math.isfinite(value) else None


def _relative_drop(best: float, current: float) -> float:
    if best == 0:
        return math.inf if current < 0 else 0.0
    return (best - current) / abs(best)


def _relative_change(last: float, current: float) -> float:
    largest = max(abs(last), abs(current))
    return abs(current - last) / largest if largest else 0.0


def _at_least(trigger: object, low: float, **arguments: float) -> None:
    for name, value in arguments.items():
        if not within(value, low):
            raise SignalError(f"{trigger}: {name}: expected a finite number of at least {low}, got {value!r}")


def within(value: object, low: float) -> bool:
    """Whether ``value`` is a number, finite, and at least ``low``.

    >>> within(1, 0), within(float("inf"), 0), within("1", 0)
    (True, False, False)
    """
    return isinstance(value, Real) and low <= float(value) < math.inf
