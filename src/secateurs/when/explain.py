"""Why a trigger fired, or has not: a sentence or two, from the same log that decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from secateurs.core import Log, Moment, Trigger, TriggerState
from secateurs.when.combine import At, Together
from secateurs.when.triggers import Below, Peak, Settled


def explain(trigger: Trigger, log: Log) -> str:
    """Why ``trigger`` fired where it did in the run that ``log`` holds; or what it still waits for.

    What stands in the log after the decision is not looked at. A trigger of a class that is not
    from here is told with the last values of its signals.

    >>> rows = [(Moment.parse(i, 10), {"kl_uniform": value}) for i, value in enumerate([9.0, 1.0, 3.0, 2.4, 2.1])]
    >>> explain(Peak("kl_uniform"), rows)
    'kl_uniform passed its maximum, 3 at epoch 2: 30 % below it, unbeaten for 2 measurements'
    >>> explain(Peak("kl_uniform"), rows[:3])
    'has not fired by epoch 2: kl_uniform is at its maximum still, 3'
    """
    if not log:
        return "has not fired: nothing was measured yet"
    told = _judge(trigger, log)
    return told.words if told.fired is not None else f"has not fired by {_epoch(log[-1][0])}: {told.words}"


@dataclass(frozen=True)
class _Told:
    fired: int | None  # the row
    words: str


@dataclass(frozen=True)
class _Rows:
    """A log up to the decision, and the states that the trigger went through."""

    log: Log
    states: list[TriggerState]

    def measured(self, signal: str) -> Iterator[tuple[Moment, float, TriggerState]]:
        """The measurements that counted, and the state after each."""
        for (moment, values), state in zip(self.log, self.states, strict=True):
            value = values.get(signal)
            if isinstance(value, int | float) and math.isfinite(value):
                yield moment, float(value), state


def _judge(trigger: Trigger, log: Log) -> _Told:
    state, states = trigger.init(), []
    fired = None
    for row, (moment, values) in enumerate(log):
        state, now = trigger.update(state, moment, values)
        states.append(state)
        if now:
            fired = row
            break
    rows = _Rows(log[: len(states)], states)
    if isinstance(trigger, Together):
        return _Told(fired, _together(trigger, rows, fired is not None))
    words = _WORDS.get(type(trigger), _other)(trigger, rows, fired is not None)
    return _Told(fired, words)


def _together(trigger: Together, rows: _Rows, fired: bool) -> str:
    """Of any-of, what fired, or what each waits for; of all-of, which have fired when, and what the others wait for."""
    last = len(rows.log) - 1
    inner = [(each, _judge(each, rows.log)) for each in trigger.triggers]
    yes = [(each, told) for each, told in inner if told.fired is not None]
    no = [_bracketed(each, told.words) for each, told in inner if told.fired is None]
    words = []
    for each, told in yes:
        reached = f"the bound {each.moment} was reached" if isinstance(each, At) else _bracketed(each, told.words)
        when = "" if told.fired is None or told.fired == last else f" (at {_epoch(rows.log[told.fired][0])})"
        words.append(reached + when)
    only_bounds = all(isinstance(each, At) for each, _ in yes)
    if fired and (no == [] or not only_bounds):
        return "; ".join(words)
    if not fired and words:
        return f"{'; '.join(words)}; but {'; '.join(no)}"
    return "; ".join(words + no)


def _peak(trigger: Peak, rows: _Rows, fired: bool) -> str:
    seen = [each for each in rows.measured(trigger.signal) if each[2]["best"] is not None]
    if not seen:
        return _too_few(trigger.signal, rows, trigger.warm_up + trigger.smoothing)
    moment, _, state = next(each for each in reversed(seen) if each[2]["since"] == 0)
    name = _smoothed(trigger)
    if seen[-1][2]["since"] == 0:
        return f"{name} is at its maximum still, {state['best']:.3g}"
    state = seen[-1][2]
    current = sum(state["window"]) / len(state["window"])
    drop = (state["best"] - current) / abs(state["best"]) if state["best"] else math.copysign(math.inf, -current)
    below = f"{_percent(drop)} below it" if current < state["best"] else "not below it"
    stood = f"unbeaten for {_times(state['since'], 'measurement')}"
    told = f"its maximum, {state['best']:.3g} at {_epoch(moment)}: {below}, {stood}"
    if fired:
        return f"{name} passed {told}"
    wanted = f"{_percent(trigger.min_drop)} and {_times(trigger.patience, 'measurement')} are asked for"
    return f"{name} may have passed {told}, where {wanted}"


def _below(trigger: Below, rows: _Rows, fired: bool) -> str:
    seen = [each for each in rows.measured(trigger.signal) if each[2]["seen"] > trigger.warm_up]
    if not seen:
        return _too_few(trigger.signal, rows, trigger.warm_up + 1)
    _, value, state = seen[-1]
    under, over = _threshold(trigger.threshold)
    shown = _told_apart(value, trigger.threshold)
    if fired:
        row = f", {_times(trigger.patience, 'measurement')} in a row" if trigger.patience > 1 else ""
        return f"{trigger.signal} is {shown}, {under}{row}"
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
    change = _percent(abs(now - before) / largest if largest else 0.0)
    name, limit = _smoothed(trigger), f"at most {_percent(trigger.tolerance)}"
    if fired:
        return f"{name} has settled at {now:.3g}: it changed by {limit}, {_times(trigger.patience, 'time')} in a row"
    row = f": {state['run']} of {trigger.patience} times in a row {limit}" if state["run"] else f", not {limit}"
    return f"{name} has not settled: it changed by {change} to {now:.3g}{row}"


def _at(trigger: At, rows: _Rows, fired: bool) -> str:  # noqa: ARG001
    return f"the moment {trigger.moment} was {'' if fired else 'not '}reached"


def _other(trigger: Trigger, rows: _Rows, fired: bool) -> str:
    values = {name: [value for _, value, _ in rows.measured(name)] for name in sorted(trigger.needs)}
    told = [f"{name} is {each[-1]:.3g}" if each else f"{name} has no value yet" for name, each in values.items()]
    beside = f" ({', '.join(told)})" if told else ""
    return f"{trigger} {'fired' if fired else 'waits'}{beside}"


_WORDS: dict[type, Callable[..., str]] = {Peak: _peak, Below: _below, Settled: _settled, At: _at}


def _too_few(signal: str, rows: _Rows, wanted: int) -> str:
    count = sum(1 for _ in rows.measured(signal))
    if not count:
        there = any(signal in values for _, values in rows.log)
        return f"{signal} has {'no finite value' if there else 'no value'} yet"
    return f"{signal} was measured {_times(count, 'time')}, {wanted} are needed to say anything"


def _smoothed(trigger: Peak | Settled) -> str:
    if trigger.smoothing == 1:
        return trigger.signal
    return f"{trigger.signal} (mean of {trigger.smoothing} measurements)"


def _threshold(value: float) -> tuple[str, str]:
    """ "below 0.05"; for the number that follows on 0.1, as Early-Bird's has it, "at most 0.1"."""
    before = math.nextafter(value, -math.inf)
    if len(repr(before)) < len(repr(value)):
        return f"at most {before:g}", f"above {before:g}"
    return f"below {value:g}", f"not below {value:g}"


def _told_apart(value: float, other: float) -> str:
    short = f"{value:.3g}"
    return short if float(short) != other or value == other else f"{value:.6g}"


def _bracketed(trigger: Trigger, words: str) -> str:
    return f"({words})" if isinstance(trigger, Together) and ";" in words else words


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 1 else f"{100 * share:.0f} %"


def _times(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _epoch(moment: Moment) -> str:
    return f"epoch {moment.epoch}" if not moment.step else f"{moment}"
