"""A study of methods as a graph of jobs: what is pruned by many methods at many densities and moments, and trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from secateurs.core import Moment, Spec
from secateurs.jobs import Entry, Graph, Job, Store
from secateurs.studies.cell_jobs import CellJobs
from secateurs.studies.cell_parts import CellParts
from secateurs.studies.cells import Cell, Pruning, prunings
from secateurs.studies.cost_runs import costs_job
from secateurs.studies.firing import Watched, signals_for
from secateurs.studies.plan import Planner
from secateurs.studies.schema import DynamicMethod, Methods, RegrowthMethodRecipe
from secateurs.studies.suiting import check_layers
from secateurs.when import signal_of

_LOSS = Spec("loss")  # what is watched in any case: how a dense run goes


@dataclass(frozen=True)
class MethodsPlan:
    """The plan of one setting of a recipe on a kind of device.

    Attributes:
        dense: the dense run of each seed: the reference line, and what later moments start from. None
            at all, where only masks of untrained networks are asked for.

    Raises:
        TrainingError: when a moment lies outside the run, the device lacks the precision, or the
            network does not suit the data.
        PruningError: when a method's ``exclude`` names what the network has not, its channels cannot be removed, or
            its mask would leave a layer empty for good.
        RecipeError: when a trigger needs a signal that does not exist.
        DataError: when the data cannot be used, or a batch is larger than they are.
    """

    recipe: Methods
    device: str = "cpu"
    setting: str = ""
    dense: Mapping[int, Job] = field(init=False)

    def __post_init__(self) -> None:
        methods = {f"methods.{name}": method for name, method in self.recipe.methods.items()}
        found = {path: method.mask if isinstance(method, DynamicMethod) else method for path, method in methods.items()}
        self._planner.check_pruning(found, self.recipe.densities)
        staying = {path: each for path, each in methods.items() if isinstance(each, RegrowthMethodRecipe)}
        check_layers(self.recipe.model, self._planner.data, staying, self.recipe.densities)
        later = any(pruning.of_trained_weights for pruning in self._prunings)
        object.__setattr__(self, "dense", self._every_dense if self.recipe.trained or later else {})

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch of the recipe."""
        return self._planner.steps_per_epoch

    def cells(self, store: Store) -> list[Cell]:
        """All cells, seed by seed, in the recipe's order; those of triggers have jobs once their dense run is done."""
        return [cell for seed in self.recipe.seeds for cell in self._of_seed(seed, store)]

    def _of_seed(self, seed: int, store: Store) -> Iterator[Cell]:
        watched = self._seen(store.entry(self.dense[seed])) if self._triggers else None
        for place, pruning in enumerate(self._prunings):
            yield self._triggered(pruning, seed, watched) if pruning.by_trigger else self._known[place, seed]

    def _triggered(self, pruning: Pruning, seed: int, watched: Watched | None) -> Cell:
        """The cell of a method with a trigger, by what the dense run watched; None where that is not done."""
        at = None if watched is None else watched.fired(pruning.trigger(self.recipe.train.epochs, seed))
        if at is not None:
            return self._jobs.cell(pruning, seed, at)
        diverged = None if watched is None else watched.diverged
        never = watched is not None and diverged is None
        density = pruning.settings.density
        return Cell(pruning.method, density, pruning.moment, seed, never=never, diverged=diverged)

    def _seen(self, dense: Entry) -> Watched | None:
        return Watched.of(dense, self._signals, self.steps_per_epoch) if dense.done else None

    def graph(self) -> Graph:
        """Dense runs, then what is found and trained; a finished dense run adds the runs that its triggers choose."""
        wanted = (job for cell in self._known.values() for job in cell.jobs)
        return Graph((*self.dense.values(), *self.dense_costs.values(), *wanted), grow=self.grow)

    def grow(self, job: Job, entry: Entry) -> Iterable[Job]:
        """The jobs of the cells whose moment a trigger chose, once a dense run is done."""
        for seed, dense in self.dense.items():
            if self._triggers and dense.key == job.key:
                watched = self._seen(entry)
                for pruning in self._triggers:
                    yield from self._triggered(pruning, seed, watched).jobs

    def jobs(self, store: Store) -> tuple[Job, ...]:
        """All jobs of the plan, with those that triggers chose in the dense runs that are done."""
        wanted = (job for cell in self.cells(store) for job in cell.jobs)
        return Graph((*self.dense.values(), *self.dense_costs.values(), *wanted)).jobs

    @property
    def dense_costs(self) -> dict[int, Job]:
        """What measures the dense network, by seed; empty where that is not asked for."""
        measured = self.recipe.costs.measured
        return {seed: costs_job(self._planner, job) for seed, job in self.dense.items()} if measured else {}

    @property
    def epochs(self) -> float:
        """Epochs of training in the plan, the triggers' runs not counted; finding a mask counts as a tenth of one."""
        return sum(job.cost for job in self.graph().jobs)

    @property
    def later(self) -> int:
        """The most jobs that triggers may add."""
        start = Moment(0, self.steps_per_epoch)
        cells = (self._jobs.cell(pruning, seed, start) for seed in self.recipe.seeds for pruning in self._triggers)
        return sum(len(Graph(cell.jobs).jobs) for cell in cells)

    @cached_property
    def _planner(self) -> Planner:
        return Planner(self.recipe, self.device, self.setting)

    @cached_property
    def _jobs(self) -> CellJobs:
        return CellJobs(CellParts(self.recipe, self._planner, lambda seed: self._every_dense[seed]))

    @cached_property
    def _signals(self) -> tuple[Spec, ...]:
        """What every dense run watches."""
        epochs = self.recipe.train.epochs
        rules = [pruning.trigger(epochs, seed) for seed in self.recipe.seeds for pruning in self._triggers]
        signals = signals_for(rules, self.recipe.signals, every=True)
        return signals if any(signal_of(spec).name == "loss" for spec in signals) else (*signals, _LOSS)

    @cached_property
    def _every_dense(self) -> dict[int, Job]:
        curves = self.recipe.curves
        return {seed: self._planner.dense(seed, self._signals, curves=curves) for seed in self.recipe.seeds}

    @cached_property
    def _prunings(self) -> tuple[Pruning, ...]:
        return tuple(prunings(self.recipe, self._planner))

    @cached_property
    def _triggers(self) -> tuple[Pruning, ...]:
        """The prunings whose moment a trigger decides."""
        return tuple(pruning for pruning in self._prunings if pruning.by_trigger)

    @cached_property
    def _known(self) -> dict[tuple[int, int], Cell]:
        """The cells whose moment the recipe says, by place and seed."""
        return {
            (place, seed): self._jobs.cell(pruning, seed, pruning.at)
            for seed in self.recipe.seeds
            for place, pruning in enumerate(self._prunings)
            if pruning.at is not None
        }


__all__ = ["Cell", "MethodsPlan"]
