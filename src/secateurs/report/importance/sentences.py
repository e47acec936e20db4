"""What was found in measured runs, in sentences: plain, short, and no kinder than the numbers."""

from __future__ import annotations

from collections.abc import Iterator

from secateurs.report.chance import against, hardly_better
from secateurs.report.importance import words
from secateurs.report.importance.findings import ChangeCurve, ImportanceFindings
from secateurs.report.words import SPACE, percent, plural, seed_list

FEW = 5
"""Fewer epochs than this do not show whether two curves go together."""


def summary(found: ImportanceFindings) -> list[str]:
    """What one setting shows; empty where no run has a result."""
    return [*_chance(found), *_changes(found), *_flows(found), *_layers(found), *_runs(found)]


def _chance(found: ImportanceFindings) -> Iterator[str]:
    if found.test is not None and found.chance is not None and hardly_better(found.test.mean, found.chance):
        compared = against(found.test.mean, found.chance)
        yield f"The networks are hardly better than chance ({compared}): they learned nothing that this could be about."


def _changes(found: ImportanceFindings) -> Iterator[str]:
    for curve in found.changes:
        changed, loss = words.CHANGED[curve.unit], words.LOSS[curve.unit]
        known = [point for point in curve.points if point.correlation is not None]
        if not known:
            yield f"{words.units(curve.unit).capitalize()}: {changed} or {loss} is the same throughout: no correlation."
            continue
        first, last = known[0], known[-1]
        said = f"{words.units(curve.unit).capitalize()}: the correlation of {changed} with {loss} "
        at = f"{words.coefficient(first.correlation)} at epoch {first.epoch}"
        if last is first:
            yield f"{said}is {at}; the masks of that epoch's ends are {words.distance(first.distance)} apart."
            continue
        yield (
            f"{said}goes from {at} to {words.coefficient(last.correlation)} at epoch {last.epoch}; the distance of "
            f"consecutive masks from {words.distance(first.distance)} to {words.distance(last.distance)}."
        )
        if curve.together is not None:
            yield _together(curve, len(known))


def _together(curve: ChangeCurve, epochs: int) -> str:
    mean = curve.together.mean if curve.together is not None else 0.0
    rank = f"rank correlation over {plural(epochs, 'epoch')} {words.coefficient(curve.together)}"
    if epochs < FEW:
        return f"Too few epochs to tell whether nearer masks go with a higher correlation ({rank})."
    if mean <= -0.5:
        return f"The nearer the masks, the higher the correlation, as P3 says ({rank})."
    if mean >= 0.5:
        return f"The nearer the masks, the lower the correlation, the opposite of what P3 says ({rank})."
    return f"Correlation and mask distance hardly go together here ({rank})."


def _flows(found: ImportanceFindings) -> Iterator[str]:
    for unit in dict.fromkeys(point.unit for point in found.flows):
        points = [point for point in found.flows if point.unit == unit]
        told = ", ".join(f"{words.coefficient(point.correlation)} at epoch {point.epoch}" for point in points)
        yield f"{words.units(unit).capitalize()}: the correlation of θ'Hg with θ'g is {told}."


def _layers(found: ImportanceFindings) -> Iterator[str]:
    if len(found.layers) < 3:
        return
    epochs = found.layers[0].epochs
    shares = [(epoch, found.early_share(epoch)) for epoch in dict.fromkeys((epochs[0], epochs[-1]))]
    told = [f"{100 * share:.0f}{SPACE}% in epoch {epoch}" for epoch, share in shares if share is not None]
    if told:
        count = len(found.layers)
        first = f"first of {count} layers holds" if count // 3 == 1 else f"first {count // 3} of {count} layers hold"
        yield (
            f"The {first} {' and '.join(told)} of the squared gradient norm "
            f"({100 * (count // 3) / count:.0f}{SPACE}% if all layers had the same)."
        )


def _runs(found: ImportanceFindings) -> Iterator[str]:
    if found.test is not None:
        yield f"The trained networks reach {percent(found.test)} on test data ({plural(len(found.seeds), 'seed')})."
    if found.diverged:
        yield f"Training diverged with {seed_list(tuple(found.diverged))}; nothing of it is in these numbers."
    if found.missing:
        yield f"No result yet of {seed_list(found.missing)}."
