"""Regrets and costs of ways to choose a temperature: in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from secateurs.report.curves import Spread
from secateurs.report.regimes import words
from secateurs.report.regimes.choices import DIVERGED, WAITING, Way
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.paired import TOO_FEW, Interval, Paired, expected
from secateurs.report.regimes.regrets import Judged, Line
from secateurs.report.words import NOTHING, SPACE, number_of, plural, signed


def points(spread: Spread | None, ends: Interval) -> str:
    """A mean in points, with its interval.

    >>> points(Spread(0.012, 0.001, 3), (0.0095, 0.0145)), points(Spread(0.0, None, 1), None), points(None, None)
    ('+1.20 (+0.95 to +1.45)', '0.00', '–')
    """
    if spread is None:
        return NOTHING
    return signed(spread.mean) + ("" if ends is None else f" ({signed(ends[0])} to {signed(ends[1])})")


def difference_of(paired: Paired, same: str = "no difference") -> str:
    """A mean in points with its interval; where no seed has a difference, none: it would say more than is known.

    >>> difference_of(Paired((0.01, 0.01, 0.01))), difference_of(Paired((0.0, 0.0, 0.0)))
    ('+1.00 (+1.00 to +1.00)', '0.00 (no difference)')
    """
    return f"0.00 ({same})" if paired.same else points(paired.spread, paired.interval)


def regret(line: Line) -> str:
    """A regret, in points."""
    return difference_of(line.paired, "same choices")


def against_grid(found: RegimeFindings, judged: Judged, ways: Sequence[Way], *, between: str = "") -> Iterator[str]:
    """How far each way is from grid search, over all loads; then load by load, with what chance would do."""
    several = len(judged.loads) > 1
    lines = [line for way in ways if (line := _line(judged, way)) is not None and line.regret is not None]
    if not lines:
        return
    many = f"the mean over {_loads(judged, lines[0])}, " if several else ""
    told = [f"{line.way.name} {regret(line)}" for line in lines]
    seeds = plural(lines[0].regret.n if lines[0].regret else 0, "seed")
    few = any(line.paired.apart is None and not line.same for line in lines)
    alone = f"; {TOO_FEW}" if few else ""
    yield f"Test error against grid search's choice{between}, in points, {many}{seeds}: {'; '.join(told)}{alone}."
    if len(judged.loads) > 1:
        yield from _apart(found, judged, ways)


def _line(judged: Judged, way: Way) -> Line | None:
    if len(judged.loads) > 1:
        return judged.over_all(way)
    return next(iter(judged.of(way)), None)


def _loads(judged: Judged, line: Line) -> str:
    every = len(judged.loads)
    return f"{line.loads} of {every} loads" if line.loads < every else f"{every} loads"


def _apart(found: RegimeFindings, judged: Judged, ways: Sequence[Way]) -> Iterator[str]:
    """Which intervals of single loads leave out 0, and how many would where there is nothing to find."""
    own = [line for way in ways for line in judged.of(way) if line.paired.apart is not None]
    if not own:
        return
    parts, count = [], 0
    for way in ways:
        for side, holds in (("above", True), ("below", False)):
            there = [line for line in own if line.way is way and line.paired.apart and line.paired.rises == holds]
            count += len(there)
            if there:
                loads = words.load_names(found.load, [line.load for line in there if line.load is not None])
                parts.append(f"{way.name} {side} grid search at {loads}")
    chance = f"about {expected(len(own))} would by chance where nothing differs"
    begin, every = "Load by load, where a way's choices are not all grid search's,", plural(len(own), "interval")
    if count:
        yield f"{begin} {count} of {every} {'leaves' if count == 1 else 'leave'} out 0 ({chance}): {'; '.join(parts)}."
    else:
        yield f"{begin} none of {every} leaves out 0 ({chance})."


def difference(judged: Judged, way: Way, other: Way) -> Paired | None:
    """Error of one way minus that of another, over all loads, paired by seed; None where it is not known."""
    one, two = _line(judged, way), _line(judged, other)
    if one is None or two is None or len(one.regrets) != len(two.regrets):
        return None
    differences = tuple(a - b for a, b in zip(one.regrets, two.regrets, strict=True))
    return Paired(differences) if differences else None


def other_choices(judged: Judged, way: Way, other: Way) -> tuple[int, int]:
    """At how many loads and seeds a way chose another network than the other way, and how many it could compare."""
    pairs = [
        (a.temperature, b.temperature)
        for one, two in zip(judged.of(way), judged.of(other), strict=True)
        for a, b in zip(one.choices, two.choices, strict=True)
        if a.temperature is not None and b.temperature is not None
    ]
    return sum(a != b for a, b in pairs), len(pairs)


def spent(judged: Judged, ways: Sequence[Way]) -> str | None:
    """Epochs of retraining that each way takes for one load and seed, in the mean, and in parts of grid search's."""
    told = []
    for way in ways:
        epochs, share = mean_of(judged, way, "retraining"), mean_of(judged, way, "share")
        if epochs is not None:
            part = "" if share is None or way is judged.grid else f" ({percent(share)} of grid search's)"
            told.append(f"{way.name} {number_of(epochs)}{part}")
    if not told:
        return None
    return f"Epochs of retraining for one load and seed, in the mean{over(judged)}: {'; '.join(told)}."


def over(judged: Judged) -> str:
    """Over which choices costs are means, where that is not over all."""
    every = len(judged.columns)
    return "" if len(judged.shared) == every else f" of {len(judged.shared)} of {every} choices that every way made"


def only(judged: Judged | None) -> str:
    """What a caption adds where not every choice is made yet, or could be."""
    if judged is None or len(judged.shared) == len(judged.columns):
        return ""
    return f" Only what every way chose: {len(judged.shared)} of {plural(len(judged.columns), 'choice')}."


def mean_of(judged: Judged, way: Way, cost: Literal["retraining", "dense", "share", "passes"]) -> float | None:
    """A cost of a way, the mean over the loads and seeds that it shares with the others; None where there is none."""
    known = [(value, len(line.shared)) for line in judged.of(way) if (value := getattr(line, cost)) is not None]
    count = sum(seeds for _, seeds in known)
    return sum(value * seeds for value, seeds in known) / count if count else None


def passes(judged: Judged, ways: Sequence[Way]) -> str | None:
    """What LMC costs beside: an epoch of training goes over the data three times as far as a forward pass does."""
    once = max((line.passes or 0.0 for way in ways for line in judged.of(way)), default=0.0)
    if not once:
        return None
    work = number_of(round(once / 3, 1))
    return (
        f"LMC takes {number_of(once)} forward passes over the training data beside, about the work of {work} "
        f"epoch{'' if work == '1' else 's'}"
    )


def percent(share: float) -> str:
    """A part of grid search's epochs; of the order of one percent with a digit more.

    >>> percent(0.085).replace(SPACE, " "), percent(0.256).replace(SPACE, " ")
    ('8.5 %', '26 %')
    """
    return f"{100 * share:.{0 if share >= 0.1 else 1}f}{SPACE}%"


def lost(judged: Judged) -> Iterator[str]:
    """Choices that could not be made or have nothing to show, by their reason."""
    for why, said in ((DIVERGED, "as what they need, or lead to, diverged"), (WAITING, "as results are missing")):
        counts = judged.lost(why)
        if counts:
            alike = len(counts) == len(judged.ways) and len(set(counts.values())) == 1
            each = [f"{name} {count}" for name, count in counts.items()]
            told = f"{next(iter(counts.values()))} of every way" if alike else "; ".join(each)
            every = plural(len(judged.columns), "choice")
            yield f"Of {every} of each way (one for each load and seed), left out {said}: {told}."
