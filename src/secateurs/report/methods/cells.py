"""Cells of a study of methods (a method at one density and moment, over seeds), and groups of what is compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from secateurs.report.curves import Spread
from secateurs.report.methods.rows import MethodRun, MethodStudy
from secateurs.report.regret import bootstrap_interval
from secateurs.report.rows import number
from secateurs.report.words import moment_name, number_of, seed_list

_ROUNDING = 1e-9

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Cell:
    """A method at one density and moment, over seeds. Accuracies are fractions.

    ``difference``: test accuracy minus the dense network's of the same seed, ``interval`` its 95 %
    bootstrap interval (None for fewer than two seeds). ``diverged``, ``missing`` and
    ``never`` (the trigger never fired) are seeds.
    ``epoch``: of a method that a trigger tells when to prune, the mean over seeds.
    """

    method: str
    density: float
    moment: str
    epoch: float
    runs: tuple[MethodRun, ...]
    test: Spread | None
    difference: Spread | None
    interval: Interval
    diverged: tuple[int, ...]
    missing: tuple[int, ...]
    triggered: bool = False
    never: tuple[int, ...] = ()
    competes: bool = True

    @property
    def how(self) -> str:
        """What pruning does: ``"masks"`` or ``"channels"``."""
        return self.runs[0].how

    @property
    def epochs(self) -> tuple[float, float]:
        """The earliest and the latest epoch of pruning, over seeds."""
        return min(run.epoch for run in self.runs), max(run.epoch for run in self.runs)

    @property
    def rounds(self) -> tuple[float, float] | None:
        """The epochs of the first and the last round; None where it is pruned at once."""
        stages = self.runs[0].stages
        return (stages[0][0], stages[-1][0]) if stages else None

    @property
    def at(self) -> str:
        """The moment for a person: ``"epoch 12"``, or what a trigger chose: ``"epoch 12.3 (11 to 14)"``."""
        if self.rounds is not None:
            first, last = self.rounds
            return f"epoch {number_of(first)}" if first == last else f"epochs {number_of(first)} to {number_of(last)}"
        if not self.triggered:
            return moment_at(self.moment, self.epoch)
        first, last = self.epochs
        chosen = f" ({number_of(first)} to {number_of(last)})" if first < last else ""
        bound = ", by its bound" if self.at_bound else ""
        if bound and len(self.at_bound) < len(self.runs):
            bound += f" on {seed_list(self.at_bound)}"
        return f"epoch {number_of(round(self.epoch, 1))}{chosen}{bound}"

    @property
    def at_bound(self) -> tuple[int, ...]:
        """Seeds on which the trigger fired only because its upper bound was reached."""
        return tuple(run.seed for run in self.runs if run.at_bound)

    @property
    def trained(self) -> float | None:
        """Epochs of training that were spent, finding the mask included; None where that is not known."""
        spread = Spread.of(number(run.costs, "epochs") for run in self.runs)
        return None if spread is None else spread.mean

    @property
    def whole(self) -> bool:
        """Whether every seed has a result: a mean over fewer must not win."""
        return self.test is not None and not (self.diverged or self.missing or self.never)

    @property
    def weight_sparsity(self) -> Spread | None:
        """The share of prunable weights that are gone; the target where the network is not known."""
        known = Spread.of(sparsity_of(run.facts, "density") for run in self.runs)
        return known or (Spread(1 - self.density, None, 1) if self.runs[0].counted == "weights" else None)

    @property
    def node_sparsity(self) -> Spread | None:
        """The share of channels and neurons that are gone, as costs count them; else of those that could be removed."""
        known = Spread.of(number(run.costs, "node_sparsity") for run in self.runs)
        return known or Spread.of(sparsity_of(run.facts, "node_density") for run in self.runs)

    def within(self, tolerance: float) -> bool | None:
        """Whether the mean is at most ``tolerance`` below dense; None: no result yet. Never where a run diverged."""
        if self.diverged:
            return False
        return None if self.difference is None else self.difference.mean >= -tolerance - _ROUNDING

    @property
    def accuracies(self) -> dict[int, float]:
        """Test accuracy by seed, of those that have one."""
        found = ((run.seed, run.accuracy("test")) for run in self.runs)
        return {seed: accuracy for seed, accuracy in found if accuracy is not None}


@dataclass(frozen=True)
class Group:
    """What is compared with each other: the methods pruned at ``moment``, and those pinned to moments of their own.

    ``moment`` is empty where triggers tell all methods when to prune.
    """

    moment: str
    epoch: float
    methods: tuple[str, ...]
    cells: tuple[Cell, ...]

    def cell(self, method: str, density: float) -> Cell | None:
        """The cell of a method at a density; None where the study has none."""
        return next((each for each in self.cells if (each.method, each.density) == (method, density)), None)

    def cells_of(self, method: str) -> tuple[Cell, ...]:
        """The cells of a method, from the highest density to the lowest."""
        return tuple(cell for cell in self.cells if cell.method == method)

    @property
    def densities(self) -> tuple[float, ...]:
        """The densities, from the highest to the lowest."""
        return tuple(sorted({cell.density for cell in self.cells}, reverse=True))

    @property
    def counted(self) -> str:
        """Of what densities are shares: ``"channels"`` where that is so of all methods, else ``"weights"``."""
        found = {run.counted for cell in self.cells for run in cell.runs}
        return "channels" if found == {"channels"} else "weights"

    @property
    def beside(self) -> tuple[str, ...]:
        """The methods that stand here as benchmarks: they are pruned at another moment, and do not compete."""
        others = {cell.method for cell in self.cells if cell.moment != self.moment and not cell.competes}
        return tuple(name for name in self.methods if name in others)

    @property
    def elsewhere(self) -> bool:
        """Whether a method that competes is pruned at another moment, which no trigger chose."""
        return any(cell.competes and not cell.triggered and cell.moment != self.moment for cell in self.cells)

    @property
    def triggered(self) -> tuple[str, ...]:
        """The methods that a trigger tells when to prune."""
        fired = {cell.method for cell in self.cells if cell.triggered}
        return tuple(name for name in self.methods if name in fired)

    def named(self, method: str) -> str:
        """A method's name; of one that stands here as a benchmark with its moment."""
        cell = next(iter(self.cells_of(method)), None)
        if cell is None or method not in self.beside:
            return method
        return f"{method} ({'at ' if cell.rounds is None else ''}{cell.at})"

    def of_kind(self, how: str) -> Group:
        """The same of structured, or of unstructured methods alone."""
        cells = tuple(cell for cell in self.cells if cell.how == how)
        there = {cell.method for cell in cells}
        return replace(self, methods=tuple(name for name in self.methods if name in there), cells=cells)


def groups_of(study: MethodStudy, runs: Sequence[MethodRun], dense: dict[int, float | None]) -> Iterator[Group]:
    """The groups of a setting in order of their moment; ``dense`` is its dense networks' accuracy by seed."""
    fired = [run for run in runs if run.method in study.triggered]
    pinned = [run for run in runs if run.method in study.pinned and run.method not in study.triggered]
    moving = [run for run in runs if run.method not in {*study.pinned, *study.triggered}]
    for epoch, moment in sorted({(run.epoch, run.moment) for run in moving or pinned}) or [(0.0, "")]:
        here = [run for run in runs if run.moment == moment and run.method not in study.triggered] + fired
        here += [run for run in pinned if run.moment != moment] if moving else []
        methods = tuple(name for name in study.methods if any(run.method == name for run in here))
        if methods:
            yield Group(moment, epoch, methods, tuple(_cells(study, methods, here, dense)))


def _cells(
    study: MethodStudy, methods: Sequence[str], runs: Sequence[MethodRun], dense: dict[int, float | None]
) -> Iterator[Cell]:
    for method in methods:
        own = [run for run in runs if run.method == method]
        for density in sorted({run.density for run in own}, reverse=True):
            yield _cell(study, sorted((run for run in own if run.density == density), key=lambda run: run.seed), dense)


def _cell(study: MethodStudy, runs: Sequence[MethodRun], dense: dict[int, float | None]) -> Cell:
    pairs = [(run.accuracy("test"), dense.get(run.seed)) for run in runs]
    differences = [own - top for own, top in pairs if own is not None and top is not None]
    first = runs[0]
    unpruned = [each for each in study.never if each.of == (first.setting, first.method, first.density)]
    diverged = [run.seed for run in runs if run.broke is not None]
    return Cell(
        method=first.method,
        density=first.density,
        moment=first.moment,
        epoch=sum(run.epoch for run in runs) / len(runs),
        runs=tuple(runs),
        test=Spread.of(own for own, _ in pairs),
        difference=Spread.of(differences),
        interval=bootstrap_interval(differences),
        diverged=tuple(sorted([*diverged, *(each.seed for each in unpruned if each.diverged is not None)])),
        missing=tuple(run.seed for run in runs if lacks_result(run, study.trained)),
        triggered=first.method in study.triggered,
        competes=first.method not in study.benchmarks,
        never=tuple(each.seed for each in unpruned if each.diverged is None),
    )


def moment_at(moment: str, epoch: float) -> str:
    """A moment for a person.

    >>> moment_at("0ep", 0.0), moment_at("12ep", 12.0), moment_at("1ep10it", 1.25)
    ('initialisation', 'epoch 12', '1ep10it')
    """
    return "initialisation" if epoch == 0 else moment_name(moment)


def lacks_result(run: MethodRun, trained: bool) -> bool:
    """Whether a run neither diverged nor has what was asked for: its job failed or has not run yet."""
    if run.broke is not None:
        return False
    return run.accuracy("test") is None if trained else not run.mask


def sparsity_of(facts: Mapping[str, Any], name: str) -> float | None:
    """What a density among the facts of a mask leaves out; None where it is not known."""
    kept = number(facts, name)
    return None if kept is None else 1 - kept
