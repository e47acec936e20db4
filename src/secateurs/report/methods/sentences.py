"""The findings of a study of methods in sentences: plain, short, and no kinder than the numbers.

The page and the terminal say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from secateurs.report.curves import Spread
from secateurs.report.methods import masks
from secateurs.report.methods.compared import FEWEST, Ablation, Order, Paired, ablations, orders
from secateurs.report.methods.findings import Cell, Group, MethodFindings
from secateurs.report.methods.ranges import lowest_matching, ranges
from secateurs.report.methods.words import share, sparsities, sparsity, when
from secateurs.report.regret import FEW_SEEDS
from secateurs.report.words import SPACE, listed, percent, plural, seed_list, signed

NAMED = 6
"""So many runs or layers are named in a sentence."""


def heading(findings: MethodFindings) -> str:
    """The setting."""
    return findings.setting


def summary(findings: MethodFindings) -> list[str]:
    """The findings as a few sentences, the most important first."""
    return [
        *_unknown(findings),
        *_chance(findings),
        *_seeds(findings),
        *(() if findings.at_chance else _leaders(findings)),
        *(() if findings.at_chance else _against_pinned(findings)),
        *(() if findings.at_chance else _matching(findings)),
        *_dense(findings),
        *(() if findings.at_chance else _changes(findings)),
        *_emptied(findings),
        *_collapse(findings),
        *_lost(findings),
    ]


def _unknown(findings: MethodFindings) -> Iterator[str]:
    if not findings.study.trained:
        yield "Only masks were found: nothing was trained with them, so no accuracy is known."
    elif not findings.has_results:
        yield "No pruned network has a result yet."


def _chance(findings: MethodFindings) -> Iterator[str]:
    if findings.at_chance and findings.dense is not None:
        guessing = findings.study.chance[findings.setting]
        against = f"{100 * findings.dense.mean:.1f} against {100 * guessing:.3g}{SPACE}%"
        said = "no accuracy here says anything about pruning"
        yield f"The dense networks are hardly better than chance ({against}): {said}."


def _dense(findings: MethodFindings) -> Iterator[str]:
    if findings.dense is not None:
        over = plural(findings.dense.n, "seed")
        yield f"The dense networks reach {percent(findings.dense)} on the test set ({over})."


Spot = tuple[Group, float]
"""A moment and a density."""


_COUNTED = {1: "one seed", 2: "two seeds"}
"""Numbers of seeds that tell nothing apart."""


def _on(cells: Sequence[Cell]) -> str:
    """On how few seeds something is said of these cells; empty where they are enough."""
    seeds = min((cell.difference.n for cell in cells if cell.difference is not None), default=FEWEST)
    return f"on {_COUNTED[seeds]}, " if seeds < FEWEST else ""


def _at(spots: Sequence[Spot], every: Sequence[Spot]) -> str:
    """At which moments and sparsities, in as few words as tell these from ``every`` one there is."""
    if len(spots) == len(every) > 1:
        return "everywhere"
    if len({group.moment for group, _ in every}) == 1:
        return f"at {sparsities([density for _, density in spots])}"
    if len({density for _, density in every}) == 1:
        return f"when pruned at {listed([_moment(group) for group, _ in spots])}"
    by: dict[str, list[float]] = {}
    for group, density in spots:
        by.setdefault(_moment(group), []).append(density)
    alike: dict[tuple[float, ...], list[str]] = {}
    for moment, own in by.items():
        alike.setdefault(tuple(own), []).append(moment)
    parts = [f"{sparsities(own)} when pruned at {listed(moments)}" for own, moments in alike.items()]
    return f"at {', at '.join(parts)}"


def _moment(group: Group) -> str:
    return when(group).removeprefix("at ")


def _where(findings: MethodFindings) -> str:
    """What all that is told has in common: the only moment, or the only sparsity."""
    if len(findings.groups) == 1:
        return f"Pruned {when(findings.groups[0])}"
    if len(findings.densities) == 1:
        return f"At {sparsity(findings.densities[0])} sparsity"
    return "Over all moments and sparsities"


def _leaders(findings: MethodFindings) -> Iterator[str]:
    """Who leads at which sparsities, and whether it is told apart from the next."""
    found: list[tuple[Spot, Order]] = []
    for group in findings.groups:
        several = (order for order in orders(findings, group, pinned=False) if len(order.methods) > 1)
        found += [((group, order.density), order) for order in several]
    if not found:
        return
    every = [spot for spot, _ in found]
    leads: dict[str, list[Spot]] = {}
    for spot, order in found:
        leads.setdefault(order.methods[0], []).append(spot)
    parts = [f"{name} does best {_at(won, every)}" for name, won in leads.items()]
    apart = [spot for spot, order in found if order.apart[0]]
    if all(order.apart[0] is None for _, order in found):
        most = max(order.seeds for _, order in found)
        told = f"with {_COUNTED[most]} in common, nothing is told apart"
    elif apart:
        told = f"the best is told apart from the second {_at(apart, every)}"
        told += "" if len(apart) == len(found) else " only"
    else:
        told = "the best is not told apart from the second" + (" anywhere" if len(found) > 1 else "")
    yield f"{_where(findings)}: {listed(parts)}; {told}."


def _against_pinned(findings: MethodFindings) -> Iterator[str]:
    """The benchmarks with a moment of their own against the best of the others."""
    study = findings.study
    for name in (name for name in study.plain if name in study.pinned):
        found: list[tuple[Spot, Paired]] = []
        for group in findings.groups:
            for cell in group.cells_of(name):
                best = _best_moving(findings, group, cell.density)
                paired = None if best is None else Paired.of(cell, best)
                if paired is not None:
                    found.append(((group, cell.density), paired))
        if found:
            against = f"{findings.groups[0].named(name)} against the best of the others"
            yield f"{against}: {'; '.join(_outcomes(found))}."


def _best_moving(findings: MethodFindings, group: Group, density: float) -> Cell | None:
    study = findings.study
    names = [name for name in group.methods if name in study.plain and name not in study.pinned]
    cells = (group.cell(name, density) for name in names)
    judged = [(cell.test.mean, cell) for cell in cells if cell is not None and cell.test is not None]
    return max(judged, key=lambda each: each[0])[1] if judged else None


def _matching(findings: MethodFindings) -> Iterator[str]:
    """The ranges of sparsity: trivial, matching, extreme (P2 section 5.2); of one sparsity, the moments."""
    if findings.dense is None or not findings.has_results:
        return
    if len(findings.densities) == 1 and len(findings.groups) > 1:
        yield _matching_moments(findings)
        return
    for group in findings.groups:
        yield _range(findings, group)
    yield from _range_beside(findings)


def _matching_moments(findings: MethodFindings) -> str:
    first: dict[str, str] = {}
    for group in findings.groups:
        for name, density in ranges(findings, group).by.items():
            if density is not None:
                first.setdefault(name, when(group) if name not in findings.study.pinned else "")
    where = f"{sparsity(findings.densities[0])} sparsity"
    if not first:
        return f"No method is within 0.2 points of dense at {where}, whenever it prunes."
    parts = [f"{name} first {moment}" if moment else name for name, moment in first.items()]
    on = _on([cell for cell in findings.all_cells if cell.method in first])
    return f"Matching (within 0.2 points of dense) at {where}: {on}{listed(parts)}."


def _range(findings: MethodFindings, group: Group) -> str:
    """Of the methods that are pruned at the group's moment."""
    found = ranges(findings, group).of([name for name in group.methods if name not in group.beside])
    reached = group.densities[0] if found.matching is None else found.matching
    telling = found.farthest or tuple(found.by)
    cells = [cell for cell in group.cells if cell.method in telling and cell.density >= reached]
    where = f"Pruned {when(group)}: {_on(cells)}"
    if found.matching is None:
        return f"{where}no method is within 0.2 points of dense at {sparsity(group.densities[0])} sparsity, the lowest."
    farthest = listed(found.farthest)
    verb = "goes" if len(found.farthest) == 1 else "go"
    said = f"{where}{farthest} {verb} farthest, matching (within 0.2 points of dense) up to {sparsity(found.matching)}"
    if found.matching == group.densities[-1]:
        said += ", the highest sparsity tried"
    if found.trivial is not None:
        said += f"; up to {sparsity(found.trivial)} random pruning matches, too, so that is trivial"
    elif any(name in findings.study.random for name in found.by):
        said += "; random pruning matches nowhere"
    return f"{said}."


def _range_beside(findings: MethodFindings) -> Iterator[str]:
    """Of the methods with a moment of their own, which are the same beside every group."""
    parts: dict[str, str] = {}
    for group in findings.groups:
        for name in group.beside:
            cells = group.cells_of(name)
            density = lowest_matching(cells)
            reach = "matches nowhere" if density is None else f"matches up to {sparsity(density)}"
            parts.setdefault(name, f"{_on(cells)}{group.named(name)} {reach}")
    if parts:
        yield f"Beside them, at a moment of their own: {'; '.join(parts.values())}."


def _changes(findings: MethodFindings) -> Iterator[str]:
    """What shuffling, re-initialising or inverting does, one sentence per changed method."""
    found: dict[tuple[str, str], list[Ablation]] = {}
    for each in ablations(findings):
        found.setdefault((each.variant, each.plain), []).append(each)
    for (variant, plain), items in found.items():
        pairs = [((_group_of(findings, each), each.density), each.paired) for each in items]
        yield f"{variant} against {plain}: {'; '.join(_outcomes(pairs))}."


def _group_of(findings: MethodFindings, each: Ablation) -> Group:
    """The group of a pair; of pinned methods, which stand in all, the first."""
    return next((group for group in findings.groups if group.moment == each.moment), findings.groups[0])


def _outcomes(items: Sequence[tuple[Spot, Paired]]) -> list[str]:
    """Where a difference is one for the worse or the better, and where nothing is told apart."""
    every = [spot for spot, _ in items]
    by: dict[str, list[tuple[Spot, Paired]]] = {}
    for spot, paired in items:
        outcome = "worse" if paired.difference.mean < 0 else "better"
        if paired.told_apart is not True:
            outcome = "not told apart" if paired.told_apart is False else _too_few(paired.difference.n)
        by.setdefault(outcome, []).append((spot, paired))
    return [
        f"{outcome} {_at([spot for spot, _ in chosen], every)} ({_points([paired for _, paired in chosen])} points)"
        for outcome, chosen in by.items()
    ]


def _too_few(seeds: int) -> str:
    return f"on {_COUNTED[seeds]}, which {'tells' if seeds == 1 else 'tell'} nothing apart,"


def _points(items: Sequence[Paired]) -> str:
    means = sorted(paired.difference.mean for paired in items)
    low, high = signed(means[0]), signed(means[-1])
    return low if low == high else f"{low} to {high}"


def _emptied(findings: MethodFindings) -> Iterator[str]:
    """The share of channels without any weight (neuron collapse, P2 section 5.7.1)."""
    for group in findings.groups[:1]:
        density = masks.shown_densities(findings, group)[-1]
        cells = [cell for cell in group.cells if cell.density == density]
        found = {cell.method: spread for cell in cells if (spread := masks.emptied(cell)) is not None}
        here = {name: spread for name, spread in found.items() if name not in group.beside}
        beside = {group.named(name): spread for name, spread in found.items() if name in group.beside}
        more = f"; beside them, {_shares(beside)}" if beside else ""
        if any(spread.mean > 0 for spread in here.values()):
            yield f"Channels emptied at {sparsity(density)} sparsity, pruned {when(group)}: {_shares(here)}{more}."
        elif here:
            yield f"At {sparsity(density)} sparsity, pruned {when(group)}, no method empties a channel{more}."


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
        by.setdefault(each.method, []).append(each)
    for method, found in by.items():
        spots = dict.fromkeys((each.density, when(each)) for each in found)
        masks_of = [f"{sparsity(density)} sparsity, pruned {moment}" for density, moment in spots]
        layers = list(dict.fromkeys(each.layer for each in found))
        seeds = sorted({seed for each in found for seed in each.seeds})
        yield (
            f"Layer collapse: {method} leaves no weight in {_some(layers)}, at {_some(masks_of, '; ')} "
            f"({seed_list(seeds)})."
        )


def _lost(findings: MethodFindings) -> Iterator[str]:
    if findings.diverged:
        took = "took no part in any mean"
        yield f"{plural(len(findings.diverged), 'run')} diverged and {took}: {_some(findings.diverged, '; ')}."
    if findings.missing:
        yield f"{plural(len(findings.missing), 'run')} without a result: {_some(findings.missing, '; ')}."


def _some(items: Sequence[str], between: str = ", ") -> str:
    """So many as one can read; the tables have them all."""
    more = len(items) - NAMED
    return between.join(items[:NAMED]) + (f"{between}and {more} more, in the table of runs" if more > 0 else "")


def _seeds(findings: MethodFindings) -> Iterator[str]:
    count = len(findings.seeds)
    if not findings.study.trained:
        return
    if count < FEWEST:
        told = "nothing is told apart, and neither deviations nor intervals can be trusted"
        yield f"Only {plural(count, 'seed')}: {told}."
    elif count < FEW_SEEDS:
        yield f"With fewer than {FEW_SEEDS} seeds (here {count}) the intervals say little: they come out too narrow."
