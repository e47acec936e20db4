"""Tables of methods by sparsity; where one sparsity was tried at many moments, of methods by moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from secateurs.report.methods import masks, words
from secateurs.report.methods.cells import Group
from secateurs.report.methods.compared import Order, mean_ranks, orders, rank_of
from secateurs.report.methods.findings import MethodFindings


@dataclass(frozen=True)
class Grid:
    """A table: ``when`` it is of (empty where columns say it), what the columns are, and a row per method.

    ``kind``: of which methods, where that is not all. ``what``: what the columns are.
    """

    when: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    kind: str = ""
    what: str = "sparsity"


def ranks(findings: MethodFindings) -> Iterator[Grid]:
    """Rank of each method, with its mean rank in the first column, best first; a table for each kind."""
    for kind in findings.kinds if not findings.at_chance else ():
        yield from _ranks(kind)


def _ranks(findings: MethodFindings) -> Iterator[Grid]:
    for place, spots in _split(findings):
        found = [(spot, order) for spot in spots if (order := _order(findings, *spot)) is not None]
        judged = [order for _, order in found]
        if not judged:
            continue
        rows = []
        for name, mean in mean_ranks(tuple(judged)).items():
            several = f"{mean.mean:.2f}" + (f" (of {mean.n})" if mean.n < len(judged) else "")
            rows.append((found[0][0][0].named(name), (several, *(words.rank(rank_of(each, name)) for each in judged))))
        columns = ("mean rank", *(_title(place, spot) for spot, _ in found))
        yield Grid(_when(findings, place), columns, tuple(rows), findings.kind, _what(findings, place))


def emptied(findings: MethodFindings) -> Iterator[Grid]:
    """Share of channels without any weight; no table where no mask is known."""
    for place, spots in _split(findings):
        rows = []
        for name in dict.fromkeys(name for group, _ in spots for name in group.methods):
            cells = [group.cell(name, density) for group, density in spots]
            shares = [None if cell is None else masks.emptied(cell) for cell in cells]
            if any(share is not None for share in shares):
                rows.append((spots[0][0].named(name), tuple(words.share(share) for share in shares)))
        if rows:
            columns = tuple(_title(place, spot) for spot in spots)
            yield Grid(_when(findings, place), columns, tuple(rows), what=_what(findings, place))


def _split(findings: MethodFindings) -> list[tuple[str, list[tuple[Group, float]]]]:
    """What goes into one table each."""
    if len(findings.densities) == 1 and len(findings.groups) > 1:
        return [("", [(group, findings.densities[0]) for group in findings.groups])]
    return [(words.pruned_when(group), [(group, density) for density in group.densities]) for group in findings.groups]


def _title(place: str, spot: tuple[Group, float]) -> str:
    group, density = spot
    return words.sparsity(density) if place else words.when(group).removeprefix("at ")


def _when(findings: MethodFindings, place: str) -> str:
    """When it was pruned, where there is more than one moment."""
    return place if len(findings.groups) > 1 else ""


def _what(findings: MethodFindings, place: str) -> str:
    if not place:
        return "moment of pruning"
    return "channels removed" if findings.counted == "channels" else "sparsity"


def _order(findings: MethodFindings, group: Group, density: float) -> Order | None:
    found = (order for order in orders(findings, group) if order.density == density)
    return next((order for order in found if len(order.methods) > 1), None)
