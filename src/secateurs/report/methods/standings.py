"""What the accuracies come to, in sentences: who leads, how far methods go, what each change does."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.compared import FEWEST, Ablation, Order, Paired, ablations, orders
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.ranges import lowest_matching, ranges
from secateurs.report.methods.words import competing_when, gone, sparsities, sparsity, when
from secateurs.report.words import listed, signed

APART = 1.25
"""Training that differs by less than this factor is not told of."""

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
        return opened(findings, moments(findings, findings.groups[0]))
    if len(findings.densities) == 1:
        return opened(findings, f"at {gone(findings.densities[0], findings.counted)}")
    return opened(findings, "over all moments and sparsities")


def moments(findings: MethodFindings, group: Group) -> str:
    """When a group is pruned; empty where all methods there are stand in it and each has its own moment."""
    said = competing_when(group)
    return "" if len(findings.groups) == 1 and said != when(group) else f"pruned {said}"


def opened(findings: MethodFindings, said: str) -> str:
    """The start of a sentence, with its colon: the kind of methods that it is about where there are two, and when."""
    told = ", ".join(part for part in (findings.kind, said) if part)
    return f"{told[0].upper()}{told[1:]}: " if told else ""


def trained_more(cells: Sequence[Cell], others: Sequence[Cell]) -> str:
    """How many times the others' training was spent on some cells; empty where it is about the same, or not known."""
    own, theirs = ([each.trained for each in side if each.trained is not None] for side in (cells, others))
    if not own or not theirs or not (usual := statistics.median(theirs)):
        return ""
    times = statistics.median(own) / usual
    return "" if 1 / APART < times < APART else f" with {times:.2g} times the others' training"


def leaders(findings: MethodFindings) -> Iterator[str]:
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
    parts = [f"{name} does best {_at(won, every)}{_effort(name, won)}" for name, won in leads.items()]
    apart = [spot for spot, order in found if order.apart[0]]
    if all(order.apart[0] is None for _, order in found):
        most = max(order.seeds for _, order in found)
        told = f"with {_COUNTED[most]} in common, nothing is told apart"
    elif apart:
        told = f"the best is told apart from the second {_at(apart, every)}"
        told += "" if len(apart) == len(found) else " only"
    else:
        told = "the best is not told apart from the second" + (" anywhere" if len(found) > 1 else "")
    yield f"{_where(findings)}{listed(parts)}; {told}."


def _effort(name: str, won: Sequence[Spot]) -> str:
    """How much more training than the others' a method took where it leads."""
    there = [cell for group, density in won for cell in group.cells if cell.density == density]
    own = [cell for cell in there if cell.method == name]
    return trained_more(own, [cell for cell in there if cell.method != name and cell.how == own[0].how])


def against_benchmarks(findings: MethodFindings) -> Iterator[str]:
    """The benchmarks with a moment of their own against the best of the others."""
    study = findings.study
    for name in (name for name in study.plain if name in study.benchmarks):
        found: list[tuple[Spot, Paired]] = []
        for group in findings.groups:
            for cell in group.cells_of(name):
                best = _best_moving(findings, group, cell.density)
                paired = None if best is None else Paired.of(cell, best)
                if paired is not None:
                    found.append(((group, cell.density), paired))
        if found:
            others = f"the other {findings.kind} ones" if findings.kind else "the others"
            against = f"{findings.groups[0].named(name)} against the best of {others}"
            yield f"{against}: {'; '.join(_outcomes(found))}."


def _best_moving(findings: MethodFindings, group: Group, density: float) -> Cell | None:
    study = findings.study
    names = [name for name in group.methods if name in study.plain and name not in study.benchmarks]
    cells = (group.cell(name, density) for name in names)
    judged = [(cell.test.mean, cell) for cell in cells if cell is not None and cell.test is not None]
    return max(judged, key=lambda each: each[0])[1] if judged else None


def matching(findings: MethodFindings) -> Iterator[str]:
    """The ranges of sparsity: trivial, matching, extreme (P2 section 5.2); of one sparsity, the moments."""
    if findings.dense is None or not findings.has_results:
        return
    if len(findings.densities) == 1 and len(findings.groups) > 1:
        yield _matching_moments(findings)
        return
    yield from filter(None, (_range(findings, group) for group in findings.groups))
    yield from _range_beside(findings)


def _matching_moments(findings: MethodFindings) -> str:
    first: dict[str, str] = {}
    for group in findings.groups:
        for name, density in ranges(findings, group).by.items():
            if density is not None:
                own = name in findings.study.pinned or name in group.triggered
                first.setdefault(name, "" if own else when(group))
    where = gone(findings.densities[0], findings.counted)
    kind = opened(findings, "")
    if not first:
        return f"{kind}{'no' if kind else 'No'} method is within 0.2 points of dense at {where}, whenever it prunes."
    parts = [f"{name} first {moment}" if moment else name for name, moment in first.items()]
    on = _on([cell for cell in findings.all_cells if cell.method in first])
    return f"{kind}{'m' if kind else 'M'}atching (within 0.2 points of dense) at {where}: {on}{listed(parts)}."


def _range(findings: MethodFindings, group: Group) -> str:
    """Of the methods that are pruned at the group's moment."""
    found = ranges(findings, group).of([name for name in group.methods if name not in group.beside])
    if not found.by:
        return ""
    reached = group.densities[0] if found.matching is None else found.matching
    telling = found.farthest or tuple(found.by)
    cells = [cell for cell in group.cells if cell.method in telling and cell.density >= reached]
    where = f"{opened(findings, moments(findings, group))}{_on(cells)}"
    if found.matching is None:
        lowest = gone(group.densities[0], group.counted)
        return _begun(f"{where}no method is within 0.2 points of dense at {lowest}, the lowest.")
    farthest = listed(found.farthest)
    verb = "goes" if len(found.farthest) == 1 else "go"
    said = f"{where}{farthest} {verb} farthest, matching (within 0.2 points of dense) up to {sparsity(found.matching)}"
    if found.matching == group.densities[-1]:
        said += ", the highest sparsity tried"
    if found.trivial is not None:
        said += f"; up to {sparsity(found.trivial)} random pruning matches, too, so that is trivial"
    elif any(name in findings.study.random for name in found.by):
        said += "; random pruning matches nowhere"
    return _begun(f"{said}.")


def _begun(said: str) -> str:
    """A sentence that begins with a capital, unless it begins with a method's name."""
    return said[0].upper() + said[1:] if said.startswith(("on ", "no ")) else said


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
        kind = opened(findings, "")
        yield f"{kind}{'b' if kind else 'B'}eside them, at a moment of their own: {'; '.join(parts.values())}."


def changes(findings: MethodFindings) -> Iterator[str]:
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
