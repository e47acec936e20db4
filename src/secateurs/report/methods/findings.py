"""From the rows of a study of methods to what they show, one :class:`MethodFindings` per setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from secateurs.report.chance import hardly_better
from secateurs.report.curves import Spread
from secateurs.report.methods.cells import Cell, Group, groups_of, lacks_result, moment_at
from secateurs.report.methods.rows import MethodRun, MethodStudy
from secateurs.report.rows import DenseRun
from secateurs.report.words import moment_name, number_of

MATCHING = 0.002
"""A pruned network matches the dense one when it is at most this much less accurate (P2 section 5.2: full accuracy)."""

KINDS = {"channels": "structured", "masks": "unstructured"}
"""What pruning does, and what that is called (P1's tables)."""


@dataclass(frozen=True)
class MethodFindings:
    """What one setting shows. ``dense`` is the dense networks' test accuracy; ``groups`` are in order of their moment.

    ``diverged`` and ``missing`` name runs that take no part in any mean. ``kind`` says which methods these are, where
    it is not all of the study: ``"structured"`` or ``"unstructured"``.
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
    kind: str = ""

    @property
    def kinds(self) -> tuple[MethodFindings, ...]:
        """Structured and unstructured methods apart, where there are both; they are compared among themselves."""
        there = [how for how in KINDS if any(run.how == how for run in self.runs)]
        return tuple(self._of_kind(how) for how in there) if len(there) > 1 else (self,)

    def _of_kind(self, how: str) -> MethodFindings:
        groups = (group.of_kind(how) for group in self.groups)
        runs = tuple(run for run in self.runs if run.how == how)
        return replace(self, groups=tuple(group for group in groups if group.cells), runs=runs, kind=KINDS[how])

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
    def counted(self) -> str:
        """Of what densities are shares: ``"channels"`` where that is so of all methods, else ``"weights"``."""
        return "channels" if {run.counted for run in self.runs} == {"channels"} else "weights"

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
        return hardly_better(self.dense.mean, chance)


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
        groups=tuple(groups_of(study, runs, roots)),
        diverged=tuple(_diverged(study, setting, dense, runs)),
        missing=tuple(_missing(study, dense, runs)),
        dense_runs=tuple(dense),
        runs=tuple(runs),
    )


def _diverged(study: MethodStudy, setting: str, dense: Sequence[DenseRun], runs: Sequence[MethodRun]) -> Iterator[str]:
    yield from (
        f"dense, seed {run.seed}, after {moment_name(run.diverged)}" for run in dense if run.diverged is not None
    )
    yield from (f"{_name(study, run)}, after {moment_name(run.broke)}" for run in runs if run.broke is not None)
    for each in study.never:
        if each.setting == setting and each.diverged is not None:
            where = f"{each.method}, {_sparsity(each.density)}, seed {each.seed}"
            yield f"{where}, before its trigger was asked, after {moment_name(each.diverged)}"


def _missing(study: MethodStudy, dense: Sequence[DenseRun], runs: Sequence[MethodRun]) -> Iterator[str]:
    for root in dense:
        if root.diverged is None and root.accuracy("test") is None:
            yield f"dense, seed {root.seed}"
    yield from (_name(study, run) for run in runs if lacks_result(run, study.trained))


def _name(study: MethodStudy, run: MethodRun) -> str:
    if len(run.stages) > 1:
        when = f"in rounds, epochs {number_of(run.stages[0][0])} to {number_of(run.stages[-1][0])}"
    elif run.stages or run.method in study.triggered:
        when = f"at epoch {number_of(run.stages[0][0] if run.stages else run.epoch)}"
    else:
        when = f"at {moment_at(run.moment, run.epoch)}"
    return f"{run.method}, {_sparsity(run.density, run.counted)}, {when}, seed {run.seed}"


def _sparsity(density: float, counted: str = "weights") -> str:
    return f"{100 * (1 - density):.4g} % {'of the channels removed' if counted == 'channels' else 'sparsity'}"
