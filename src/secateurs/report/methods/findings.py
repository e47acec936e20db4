"""From the rows of a study of methods to what they show, one :class:`MethodFindings` per setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.methods.rows import MethodRun, MethodStudy
from secateurs.report.regret import bootstrap_interval
from secateurs.report.rows import DenseRun

MATCHING = 0.002
"""A pruned network matches the dense one when it is at most this much less accurate (P2 section 5.2: full accuracy)."""

BEYOND_CHANCE = 0.05
"""Dense networks must beat guessing by this, or by half its accuracy where that is less (ten classes or more)."""

_ROUNDING = 1e-9

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Cell:
    """A method at one density and moment, over seeds. Accuracies are fractions.

    ``difference``: test accuracy minus the dense network's of the same seed, ``interval`` its 95 %
    bootstrap interval (None for fewer than two seeds). ``diverged`` and ``missing`` are seeds.
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
    """What is compared with each other: the methods pruned at ``moment``, and those pinned to moments of their own."""

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
    def beside(self) -> tuple[str, ...]:
        """The methods that are pruned at another moment, which is their own."""
        return tuple(name for name in self.methods if any(cell.moment != self.moment for cell in self.cells_of(name)))

    def named(self, method: str) -> str:
        """A method's name, with its moment where that is its own."""
        moment = next((cell.moment for cell in self.cells_of(method)), self.moment)
        return method if moment == self.moment else f"{method} (at {moment})"


@dataclass(frozen=True)
class MethodFindings:
    """What one setting shows. ``dense`` is the dense networks' test accuracy; ``groups`` are in order of their moment.

    ``diverged`` and ``missing`` name runs that take no part in any mean.
    """

    study: MethodStudy
    setting: str
    epochs: int
    seeds: tuple[int, ...]
    dense: Spread | None
    groups: tuple[Group, ...]
    diverged: tuple[str, ...]
    missing: tuple[str, ...]
    dense_runs: tuple[DenseRun, ...]
    runs: tuple[MethodRun, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of which there are runs, in the study's order."""
        there = {run.method for run in self.runs}
        return tuple(name for name in self.study.methods if name in there)

    @property
    def densities(self) -> tuple[float, ...]:
        """The densities, from the highest to the lowest."""
        return tuple(sorted({run.density for run in self.runs}, reverse=True))

    @property
    def all_cells(self) -> tuple[Cell, ...]:
        """Every cell once, though pinned methods stand in several groups."""
        cells = {(cell.method, cell.density, cell.moment): cell for group in self.groups for cell in group.cells}
        return tuple(cells.values())

    @property
    def has_results(self) -> bool:
        """Whether any masked network was trained to an end."""
        return any(cell.test is not None for cell in self.all_cells)

    @property
    def at_chance(self) -> bool:
        """Whether the dense networks are hardly better than guessing; False where that is not known."""
        chance = self.study.chance.get(self.setting)
        if self.dense is None or chance is None:
            return False
        return self.dense.mean <= chance + min(chance / 2, BEYOND_CHANCE)


def find_methods(study: MethodStudy) -> tuple[MethodFindings, ...]:
    """Work out what a study of methods shows, setting by setting in the order given."""
    return tuple(_findings(study, setting) for setting in study.settings)


def _findings(study: MethodStudy, setting: str) -> MethodFindings:
    dense = sorted((run for run in study.dense if run.setting == setting), key=lambda run: run.seed)
    runs = [run for run in study.runs if run.setting == setting]
    roots = {run.seed: run.accuracy("test") for run in dense}
    return MethodFindings(
        study=study,
        setting=setting,
        epochs=max((run.epochs for run in dense), default=0),
        seeds=tuple(sorted({*roots, *(run.seed for run in runs)})),
        dense=Spread.of(roots.values()),
        groups=tuple(_groups(study, runs, roots)),
        diverged=tuple(_diverged(dense, runs)),
        missing=tuple(_missing(study, dense, runs)),
        dense_runs=tuple(dense),
        runs=tuple(runs),
    )


def _groups(study: MethodStudy, runs: Sequence[MethodRun], dense: dict[int, float | None]) -> Iterator[Group]:
    pinned = [run for run in runs if run.method in study.pinned]
    moving = [run for run in runs if run.method not in study.pinned]
    for epoch, moment in sorted({(run.epoch, run.moment) for run in moving or pinned}):
        here = [run for run in runs if run.moment == moment]
        here += [run for run in pinned if run.moment != moment] if moving else []
        methods = tuple(name for name in study.methods if any(run.method == name for run in here))
        yield Group(moment, epoch, methods, tuple(_cells(methods, here, dense, study.trained)))


def _cells(
    methods: Sequence[str], runs: Sequence[MethodRun], dense: dict[int, float | None], trained: bool
) -> Iterator[Cell]:
    for method in methods:
        own = [run for run in runs if run.method == method]
        for density in sorted({run.density for run in own}, reverse=True):
            yield _cell(
                sorted((run for run in own if run.density == density), key=lambda run: run.seed), dense, trained
            )


def _cell(runs: Sequence[MethodRun], dense: dict[int, float | None], trained: bool) -> Cell:
    pairs = [(run.accuracy("test"), dense.get(run.seed)) for run in runs]
    differences = [own - top for own, top in pairs if own is not None and top is not None]
    first = runs[0]
    return Cell(
        method=first.method,
        density=first.density,
        moment=first.moment,
        epoch=first.epoch,
        runs=tuple(runs),
        test=Spread.of(own for own, _ in pairs),
        difference=Spread.of(differences),
        interval=bootstrap_interval(differences),
        diverged=tuple(run.seed for run in runs if run.broke is not None),
        missing=tuple(run.seed for run in runs if lacks_result(run, trained)),
    )


def lacks_result(run: MethodRun, trained: bool) -> bool:
    """Whether a run neither diverged nor has what was asked for: its job failed or has not run yet."""
    if run.broke is not None:
        return False
    return run.accuracy("test") is None if trained else not run.mask


def _diverged(dense: Sequence[DenseRun], runs: Sequence[MethodRun]) -> Iterator[str]:
    yield from (f"dense, seed {run.seed}, after {run.diverged}" for run in dense if run.diverged is not None)
    yield from (f"{_name(run)}, after {run.broke}" for run in runs if run.broke is not None)


def _missing(study: MethodStudy, dense: Sequence[DenseRun], runs: Sequence[MethodRun]) -> Iterator[str]:
    for root in dense:
        if root.diverged is None and root.accuracy("test") is None:
            yield f"dense, seed {root.seed}"
    yield from (_name(run) for run in runs if lacks_result(run, study.trained))


def _name(run: MethodRun) -> str:
    return f"{run.method}, {100 * (1 - run.density):.4g} % sparsity, at {run.moment}, seed {run.seed}"
