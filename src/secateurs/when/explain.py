"""Why a trigger fired, or has not: a sentence or two, from the same log that decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from secateurs.core import Log, Moment, Trigger, TriggerState
from secateurs.when.bounds import bounds_of
from secateurs.when.combine import At, Together
from secateurs.when.describe import describe, smoothed
from secateurs.when.triggers import Below, Peak, Settled
from secateurs.when.words import limit, moment_in_words, number, percent, threshold, times


def explain(trigger: Trigger, log: Log) -> str:
    """Why ``trigger`` fired where it did in the run that ``log`` holds; or what it still waits for.

    Where a bound decided, the sentence begins with it ("no later than epoch 12: ..."). What stands in
    the log after the decision is not looked at. A trigger of a class that is not from here is told
    with the last values of its signals.

    >>> rows = [(Moment.parse(i, 10), {"kl_uniform": value}) for i, value in enumerate([9.0, 1.0, 3.0, 2.4, 2.1])]
    >>> explain(Peak("kl_uniform"), rows)
    'kl_uniform passed its maximum, 3 at epoch 2: 30 % below it, unbeaten for 2 measurements'
    >>> explain(Peak("kl_uniform"), rows[:3])
    'has not fired by epoch 2: kl_uniform is at its maximum still, 3'
    """
    if not log:
        return "has not fired: nothing was measured yet"
    fired, rows = _followed(trigger, log)
    told = _judge(trigger, rows.log).whole
    return told if fired is not None else f"has not fired by {moment_in_words(log[-1][0])}: {told}"


@dataclass(frozen=True)
class _Told:
    fired: int | None  # the row
    words: str
    bounds: tuple[str, ...] = ()  # that did not decide

    @property
    def whole(self) -> str:
        return f"{self.words} ({', '.join(self.bounds)})" if self.bounds else self.words


@dataclass(frozen=True)
class _Rows:
    """A log up to the decision, and the states that the trigger went through; whether more rows followed on it."""

    log: Log
    states: list[TriggerState]
    past: bool

    def measured(self, signal: str) -> Iterator[tuple[Moment, float, TriggerState]]:
        """The measurements that counted, and the state after each."""
        for (moment, values), state in zip(self.log, self.states, strict=True):
            value = values.get(signal)
            if isinstance(value, int | float) and math.isfinite(value):
                yield moment, float(value), state


def _followed(trigger: Trigger, log: Log) -> tuple[int | None, _Rows]:
    state, states = trigger.init(), []
    for row, (moment, values) in enumerate(log):
        state, now = trigger.update(state, moment, values)
        states.append(state)
        if now:
            return row, _Rows(log[: row + 1], states, row + 1 < len(log))
    return None, _Rows(log, states, past=False)


def _judge(trigger: Trigger, log: Log) -> _Told:
    fired, rows = _followed(trigger, log)
    if isinstance(trigger, Together):
        return _together(trigger, rows.log, fired)
    return _Told(fired, _WORDS.get(type(trigger), _other)(trigger, rows, fired is not None))


def _together(trigger: Together, log: Log, fired: int | None) -> _Told:
    """What fired, and when if before; what the others wait for, where it matters; the bound first if that decided."""
    waits, bounds = bounds_of(trigger)
    inner = [_judge(each, log) for each in waits]
    alone = inner[0].bounds if len(inner) == 1 else ()
    yes, no = [], []
    for each, told in zip(waits, inner, strict=True):
        words = told.words if len(inner) == 1 else f"({told.whole})" if isinstance(each, Together) else told.whole
        if told.fired is None:
            no.append(words)
        else:
            yes.append(words if told.fired == len(log) - 1 else f"{words}, at {moment_in_words(log[told.fired][0])}")
    met, unmet = "; ".join(yes), "; ".join(no)
    both = f"{met}; but {unmet}" if yes and no else met or unmet
    if not bounds:
        return _Told(fired, met if fired is not None else both, alone)
    bound, reached = _tightest(trigger, bounds, log[-1][0])
    if fired is None:
        if no:
            return _Told(fired, both, alone if reached else (*alone, bound))
        return _Told(fired, f"{met}, but {bound}", alone)
    by_bound = not yes if trigger.required == 1 else all(told.fired != fired for told in inner)
    if by_bound:
        return _Told(fired, f"{bound}: {met or unmet}", alone)
    return _Told(fired, met, (*alone, bound) if reached else alone)


def _tightest(trigger: Together, bounds: Sequence[At], now: Moment) -> tuple[str, bool]:
    """The bound that counts, in words, and whether its moment has come."""
    upper = trigger.required == 1
    moments = {bound.moment: Moment.parse(bound.moment, now.steps_per_epoch) for bound in bounds}
    tightest = (min if upper else max)(moments, key=lambda moment: moments[moment])
    words = f"{'no later than' if upper else 'not before'} {moment_in_words(tightest)}"
    return words, moments[tightest] <= now


def _peak(trigger: Peak, rows: _Rows, fired: bool) -> str:
    seen = [each for each in rows.measured(trigger.signal) if each[2]["best"] is not None]
    if not seen:
        return _too_few(trigger.signal, rows, trigger.warm_up + trigger.smoothing)
    moment, _, state = next(each for each in reversed(seen) if each[2]["since"] == 0)
    name, best = smoothed(trigger), state["best"]
    if seen[-1][2]["since"] == 0:
        return f"{name} is at its maximum still, {number(best)}"
    state = seen[-1][2]
    current = sum(state["window"]) / len(state["window"])
    if current == best:
        below = "not below it"
    elif best == 0:
        below = f"{number(current)} now"
    else:
        drop = (best - current) / abs(best)
        below = f"{percent(drop, *([trigger.min_drop] if drop < trigger.min_drop else []))} below it"
    stood = f"unbeaten for {times(state['since'], 'measurement')}"
    told = f"its maximum, {number(best)} at {moment_in_words(moment)}: {below}, {stood}"
    if fired:
        return f"{name} passed {told}"
    wanted = f"{limit(trigger.min_drop)} and {times(trigger.patience, 'measurement')} are asked for"
    return f"{name} may have passed {told}, where {wanted}"


def _below(trigger: Below, rows: _Rows, fired: bool) -> str:
    seen = [each for each in rows.measured(trigger.signal) if each[2]["seen"] > trigger.warm_up]
    if not seen:
        return _too_few(trigger.signal, rows, trigger.warm_up + 1)
    _, value, state = seen[-1]
    under, over, edge = threshold(trigger.threshold)
    shown = number(value, edge)
    if fired:
        row = f", {times(trigger.patience, 'measurement')} in a row" if trigger.patience > 1 else ""
        return f"{trigger.signal} {'was' if rows.past else 'is'} {shown}, {under}{row}"
    if state["run"]:
        return f"{trigger.signal}, {shown}, was {under}, but only {state['run']} of {trigger.patience} times in a row"
    return f"{trigger.signal}, {shown}, was {over}"


def _settled(trigger: Settled, rows: _Rows, fired: bool) -> str:
    seen = [each for each in rows.measured(trigger.signal) if each[2]["last"] is not None]
    if len(seen) < 2:
        return _too_few(trigger.signal, rows, trigger.warm_up + trigger.smoothing + 1)
    before, (_, _, state) = seen[-2][2]["last"], seen[-1]
    now = state["last"]
    largest = max(abs(before), abs(now))
    change = percent(abs(now - before) / largest if largest else 0.0, trigger.tolerance)
    name, most = smoothed(trigger), f"at most {limit(trigger.tolerance)}"
    if fired:
        has, often = "had" if rows.past else "has", times(trigger.patience, "time")
        return f"{name} {has} settled at {number(now)}: it changed by {most}, {often} in a row"
    row = f": {state['run']} of {trigger.patience} times in a row {most}" if state["run"] else f", not {most}"
    return f"{name} has not settled: it changed by {change} to {number(now)}{row}"


def _at(trigger: At, rows: _Rows, fired: bool) -> str:  # noqa: ARG001
    return f"the moment {trigger.moment} was {'' if fired else 'not '}reached"


def _other(trigger: Trigger, rows: _Rows, fired: bool) -> str:
    values = {name: [value for _, value, _ in rows.measured(name)] for name in sorted(trigger.needs)}
    told = [f"{name} is {number(each[-1])}" if each else f"{name} has no value yet" for name, each in values.items()]
    beside = f" ({', '.join(told)})" if told else ""
    return f"{describe(trigger)} {'fired' if fired else 'waits'}{beside}"


_WORDS: dict[type, Callable[..., str]] = {Peak: _peak, Below: _below, Settled: _settled, At: _at}


def _too_few(signal: str, rows: _Rows, wanted: int) -> str:
    count = sum(1 for _ in rows.measured(signal))
    if not count:
        there = any(signal in values for _, values in rows.log)
        return f"{signal} has {'no finite value' if there else 'no value'} yet"
    return f"{signal} was measured {times(count, 'time')}, {wanted} are needed to say anything"
