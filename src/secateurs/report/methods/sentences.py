"""The findings of a study of methods in sentences: plain, short, and no kinder than the numbers.

The page and the terminal say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from secateurs.report.chance import against
from secateurs.report.curves import Spread
from secateurs.report.methods import costed, masks, standings
from secateurs.report.methods.compared import FEWEST
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.words import gone, share, sparsity, when
from secateurs.report.regret import FEW_SEEDS
from secateurs.report.words import listed, lost, percent, plural, seed_list, some


def heading(findings: MethodFindings) -> str:
    """The setting."""
    return findings.setting


def summary(findings: MethodFindings) -> list[str]:
    """The findings as a few sentences, the most important first."""
    return [
        *_unknown(findings),
        *_chance(findings),
        *_seeds(findings),
        *(() if findings.at_chance else _standings(findings)),
        *_dense(findings),
        *(() if findings.at_chance else standings.changes(findings)),
        *costed.sentences(findings),
        *_emptied(findings),
        *_collapse(findings),
        *_never(findings),
        *_bounded(findings),
        *lost(findings.diverged, findings.missing),
    ]


def _standings(findings: MethodFindings) -> Iterator[str]:
    for kind in findings.kinds:
        yield from standings.leaders(kind)
        yield from standings.against_benchmarks(kind)
        yield from standings.matching(kind)


def _unknown(findings: MethodFindings) -> Iterator[str]:
    if not findings.study.trained:
        yield "Only masks were found: nothing was trained with them, so no accuracy is known."
    elif not findings.has_results:
        yield "No pruned network has a result yet."


def _chance(findings: MethodFindings) -> Iterator[str]:
    if findings.at_chance and findings.dense is not None:
        guessing = findings.study.chance[findings.setting]
        said = "no accuracy here says anything about pruning"
        yield f"The dense networks are hardly better than chance ({against(findings.dense.mean, guessing)}): {said}."


def _dense(findings: MethodFindings) -> Iterator[str]:
    if findings.dense is not None:
        over = plural(findings.dense.n, "seed")
        yield f"The dense networks reach {percent(findings.dense)} on the test set ({over})."


def _emptied(findings: MethodFindings) -> Iterator[str]:
    """The share of channels without any weight (neuron collapse, P2 section 5.7.1)."""
    for group in findings.groups[:1]:
        density = masks.shown_densities(findings, group)[-1]
        cells = [cell for cell in group.cells if cell.density == density]
        found = {cell.method: spread for cell in cells if (spread := masks.emptied(cell)) is not None}
        here = {name: spread for name, spread in found.items() if name not in group.beside}
        beside = {group.named(name): spread for name, spread in found.items() if name in group.beside}
        more = f"; beside them, {_shares(beside)}" if beside else ""
        moment = standings.moments(findings, group)
        pruned = f"{gone(density, group.counted)}{f', {moment}' if moment else ''}"
        if any(spread.mean > 0 for spread in here.values()):
            yield f"Channels emptied at {pruned}: {_shares(here)}{more}."
        elif here:
            yield f"At {pruned}, no method empties a channel{more}."


def _shares(found: Mapping[str, Spread]) -> str:
    """The shares of channels emptied, the largest first."""
    some = sorted((each for each in found.items() if each[1].mean > 0), key=lambda each: -each[1].mean)
    if not some:
        return f"none by {listed(list(found))}"
    rest = "" if len(some) == len(found) else "; none by the others"
    return listed([f"{name} {share(spread)}" for name, spread in some]) + rest


def _collapse(findings: MethodFindings) -> Iterator[str]:
    """Layers without any weight left, one sentence per method."""
    by: dict[str, list[masks.Collapse]] = {}
    for each in masks.collapses(findings):
        by.setdefault(each.cell.method, []).append(each)
    for method, found in by.items():
        spots = dict.fromkeys((each.cell.density, when(each.cell)) for each in found)
        masks_of = [f"{gone(density, findings.counted)}, pruned {moment}" for density, moment in spots]
        layers = list(dict.fromkeys(each.layer for each in found))
        seeds = sorted({seed for each in found for seed in each.seeds})
        yield (
            f"Layer collapse: {method} leaves no weight in {some(layers)}, at {some(masks_of, '; ')} "
            f"({seed_list(seeds)})."
        )


def _never(findings: MethodFindings) -> Iterator[str]:
    """Seeds on which a trigger never fired, one sentence per method."""
    by: dict[str, dict[float, list[int]]] = {}
    for each in findings.study.never:
        if each.setting == findings.setting and each.diverged is None:
            by.setdefault(each.method, {}).setdefault(each.density, []).append(each.seed)
    for method, seeds in by.items():
        parts = [f"at {sparsity(density)} on {seed_list(sorted(on))}" for density, on in seeds.items()]
        yield f"The trigger of {method} never fired, so that nothing was pruned: {listed(parts)}."


def _bounded(findings: MethodFindings) -> Iterator[str]:
    """Seeds on which a trigger fired only because its time was up, one sentence per method."""
    by: dict[str, list[str]] = {}
    for cell in findings.all_cells:
        if cell.at_bound:
            by.setdefault(cell.method, []).append(f"at {sparsity(cell.density)} on {seed_list(cell.at_bound)}")
    alike: dict[str, list[str]] = {}
    for method, parts in by.items():
        alike.setdefault(listed(parts), []).append(method)
    for where, names in alike.items():
        yield f"By its bound alone, not by what it measured, fired the trigger of {listed(names)}: {where}."


def _seeds(findings: MethodFindings) -> Iterator[str]:
    count = len(findings.seeds)
    if not findings.study.trained:
        return
    if count < FEWEST:
        told = "nothing is told apart, and neither deviations nor intervals can be trusted"
        yield f"Only {plural(count, 'seed')}: {told}."
    elif count < FEW_SEEDS:
        yield f"With fewer than {FEW_SEEDS} seeds (here {count}) the intervals say little: they come out too narrow."
