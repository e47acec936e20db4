"""How several settings are laid out: which share a panel, what they are called, which axes are common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from secateurs.report.curves import SignalCurve, Spread
from secateurs.report.findings import Findings
from secateurs.report.rows import DenseRun
from secateurs.report.words import listed

SHARE = 0.25
"""An axis is common to all panels when each panel's own values fill at least this part of it."""

Group = tuple[Findings, ...]
Limits = tuple[float, float]


def _apart_from_name(run: DenseRun) -> tuple[object, ...]:
    return run.seed, run.steps_per_epoch, run.epochs, list(run.log), dict(run.summary)


def same_dense(first: Findings, second: Findings) -> bool:
    """Whether both were pruned from the very same dense runs, whatever their setting is called.

    Runs that have logged nothing yet are not taken for each other.
    """
    if not all(run.log for run in first.dense_runs):
        return False
    sides = ([_apart_from_name(run) for run in findings.dense_runs] for findings in (first, second))
    return next(sides) == next(sides)


def groups(found: Sequence[Findings], *, overlay: bool = True) -> tuple[Group, ...]:
    """What goes into one panel: with ``overlay`` all that share their dense runs (P0 figure 5), else each alone."""
    made: list[list[Findings]] = []
    for findings in found:
        home = next((group for group in made if overlay and same_dense(group[0], findings)), None)
        if home is None:
            made.append([findings])
        else:
            home.append(findings)
    return tuple(tuple(group) for group in made)


def removed(findings: Findings) -> str:
    """How much of the network is removed, e.g. ``"90 % removed"``."""
    return f"{100 * (1 - findings.density):.4g} % removed"


def names(found: Sequence[Findings]) -> tuple[str, ...]:
    """A short name for each: its setting where that tells them apart, else with what was removed."""
    settings = [findings.setting for findings in found]
    if len(set(settings)) == len(settings):
        return tuple(settings)
    if len(set(settings)) == 1:
        return tuple(removed(findings) for findings in found)
    return tuple(f"{findings.setting}, {removed(findings)}" for findings in found)


def group_name(group: Group, of: Sequence[Group]) -> str:
    """The title of a panel: its setting; several settings in the only panel there is need none."""
    settings = list(dict.fromkeys(findings.setting for findings in group))
    if len(settings) > 1:
        return listed(settings) if len(of) > 1 else ""
    repeated = len(group) == 1 and sum(settings[0] == other[0].setting for other in of) > 1
    return f"{settings[0]}, {removed(group[0])}" if repeated else settings[0]


@dataclass(frozen=True)
class Axes:
    """Limits of the accuracy axis (percent) and of the signal's; None: each panel has its own."""

    accuracy: Limits | None
    signal: Limits | None


def common_axes(of: Sequence[Group], signal: str | None) -> Axes:
    """Which axes the panels can share without squeezing one of them flat."""
    accuracy = [_limits(_accuracies(group), 100) for group in of]
    curves = [[findings.signal(signal) for findings in group[:1]] for group in of] if signal is not None else []
    signals = [_limits(trained(curve)) for (curve,) in curves if curve is not None]
    return Axes(_common(accuracy), _common(signals))


def trained(curve: SignalCurve) -> list[Spread]:
    """The values of a signal from epoch 1 on: the untrained network's can dwarf the rest."""
    return [value for epoch, value in zip(curve.epochs, curve.values, strict=True) if epoch > 0]


def _accuracies(group: Group) -> Iterable[Spread]:
    for findings in group:
        yield from (point.test for point in findings.curve)
        if findings.dense is not None:
            yield Spread(findings.dense.mean, None, findings.dense.n)


def _limits(spreads: Iterable[Spread], scale: float = 1.0) -> Limits | None:
    ends = [scale * (s.mean + side * (s.sd or 0.0)) for s in spreads for side in (-1, 1)]
    return (min(ends), max(ends)) if ends else None


def _common(limits: Sequence[Limits | None]) -> Limits | None:
    there = [each for each in limits if each is not None]
    if len(there) < 2:
        return None
    low, high = min(low for low, _ in there), max(high for _, high in there)
    if any(top - bottom < SHARE * (high - low) for bottom, top in there):
        return None
    margin = 0.06 * (high - low)
    return low - margin, high + margin
