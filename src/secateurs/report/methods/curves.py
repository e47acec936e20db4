"""What is drawn of accuracies: which groups have a curve over sparsity, which methods one over moments."""

from __future__ import annotations

from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.findings import MethodFindings

_STEADY = 0.01
_FALLS = 0.5


def at_each_density(findings: MethodFindings) -> tuple[Group, ...]:
    """The groups to draw against sparsity; none where one density was tried at many moments, which is drawn instead."""
    alone = len(findings.densities) == 1 and len(findings.groups) > 1
    return () if alone else tuple(group for group in findings.groups if any(cell.test for cell in group.cells))


def at_each_moment(findings: MethodFindings) -> tuple[tuple[float, dict[str, list[Cell]]], ...]:
    """For each density the cells of each method that was pruned at two moments or more, in order of their moments."""
    made = []
    for density in findings.densities:
        by: dict[str, list[Cell]] = {}
        for cell in sorted(findings.all_cells, key=lambda each: each.epoch):
            if cell.density == density and cell.test is not None:
                by.setdefault(cell.method, []).append(cell)
        several = {name: by[name] for name in findings.methods if len(by.get(name, ())) > 1}
        if several:
            made.append((density, several))
    return tuple(made)


def rate_drops(findings: MethodFindings) -> tuple[float, ...]:
    """Epochs at which the dense run's learning rate, steady before, falls to half or less; () where none is logged.

    A schedule that falls all the time (cosine, exponential) has no drops.
    """
    if not findings.dense_runs:
        return ()
    epochs, rates = max(findings.dense_runs, key=lambda run: len(run.log)).series("lr")
    drops = []
    for index in range(2, len(rates)):
        before, last, now = rates[index - 2 : index + 1]
        if last > 0 and abs(last - before) <= _STEADY * last and now <= _FALLS * last:
            drops.append(epochs[index - 1])  # A row tells of the epoch that ends there: the rate fell at its start.
    return tuple(drops)
