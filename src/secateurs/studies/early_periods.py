"""P0's study as a graph of jobs: one dense run a seed, one pruned run a moment, and one where each trigger fires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from secateurs.core import Moment, derive_seed
from secateurs.jobs import Entry, Graph, Job, Store
from secateurs.studies.cost_runs import costs_job
from secateurs.studies.firing import Watched
from secateurs.studies.instability_runs import InstabilityConfig
from secateurs.studies.plan import Planner, left_to_train
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.schema import EarlyPeriods
from secateurs.studies.schema.pruning import score_parts
from secateurs.train import Seeds
from secateurs.when import reached_bound


@dataclass(frozen=True)
class Choice:
    """One pruned run of the study: which seed, when, and who wanted it (``"grid"`` or triggers' names).

    ``costs`` is the job that measures its network; None where the recipe does not ask for it.
    """

    seed: int
    moment: Moment
    job: Job
    chosen_by: tuple[str, ...]
    costs: Job | None = None


@dataclass(frozen=True)
class EarlyPeriodsStudy:
    """The plan of one setting of a recipe on a kind of device.

    Raises:
        TrainingError: when a moment lies outside the run, the device lacks the precision, or the
            network does not suit the data.
        PruningError: when ``prune.exclude`` names what the network has not.
        DataError: when the data cannot be used, or a batch is larger than they are.
    """

    recipe: EarlyPeriods
    device: str = "cpu"
    setting: str = ""
    dense: Mapping[int, Job] = field(init=False)
    instabilities: Mapping[tuple[int, Moment], Job] = field(init=False)

    def __post_init__(self) -> None:
        self._planner.check_pruning({"prune": self.recipe.prune}, [self.recipe.prune.density])
        dense = {seed: self._planner.dense(seed, self.recipe.signals) for seed in self.recipe.seeds}
        object.__setattr__(self, "dense", dense)
        self._grid_moments()
        object.__setattr__(self, "instabilities", self._instabilities())

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch of the recipe."""
        return self._planner.steps_per_epoch

    def graph(self) -> Graph:
        """Dense runs and the grid of pruned runs; a finished dense run adds the runs that its triggers choose."""
        grid = [self._pruned(seed, moment) for seed in self.recipe.seeds for moment in self._grid_moments()]
        wanted = (*self.dense.values(), *grid, *self.instabilities.values())
        return Graph((*wanted, *self._measured(self.dense.values()), *self._measured(grid)), grow=self.grow)

    def jobs(self, store: Store) -> tuple[Job, ...]:
        """All jobs of the plan, with those that the triggers chose in the dense runs that are done."""
        choices = self.choices(store)
        pruned = (choice.job for choice in choices)
        measured = (choice.costs for choice in choices if choice.costs is not None)
        dense = self._measured(self.dense.values())
        return Graph((*self.dense.values(), *pruned, *self.instabilities.values(), *dense, *measured)).jobs

    def choices(self, store: Store) -> list[Choice]:
        """Every pruned run that the finished dense runs in ``store`` ask for, grid first, each once."""
        found: dict[str, Choice] = {}
        for seed, job in self.dense.items():
            wanted: list[tuple[str, Moment]] = [("grid", moment) for moment in self._grid_moments()]
            entry = store.entry(job)
            if entry.done:
                wanted += self.fired(seed, entry).items()
            for who, moment in wanted:
                pruned = self._pruned(seed, moment)
                known = found.get(pruned.key)
                found[pruned.key] = Choice(
                    seed, moment, pruned, (*known.chosen_by, who) if known else (who,), self.costs(pruned)
                )
        return list(found.values())

    def fired(self, seed: int, dense: Entry) -> dict[str, Moment]:
        """When each trigger would have fired in this seed's dense run; those that never do are left out.

        A run that diverged is no dense run to compare with: no trigger is judged on it.
        """
        watched = self._watched(dense)
        moments = {name: watched.fired(self.recipe.trigger(name, seed)) for name in self.recipe.triggers}
        return {name: moment for name, moment in moments.items() if moment is not None}

    def at_bound(self, seed: int, dense: Entry) -> tuple[str, ...]:
        """The triggers that fired in this seed's dense run only because their upper bound was reached."""
        log = self._watched(dense).log
        return tuple(name for name in self.recipe.triggers if reached_bound(self.recipe.trigger(name, seed), log))

    def _watched(self, dense: Entry) -> Watched:
        return Watched.of(dense, self.recipe.signals, self.steps_per_epoch)

    def grow(self, job: Job, entry: Entry) -> Iterable[Job]:
        """The runs that the triggers choose, once a dense run is done."""
        for seed, dense in self.dense.items():
            if dense.key == job.key:
                chosen = [self._pruned(seed, moment) for moment in self.fired(seed, entry).values()]
                yield from (*chosen, *self._measured(chosen))

    def costs(self, run: Job) -> Job | None:
        """The job that measures the network which a run ends with; None where the recipe does not ask for it."""
        return costs_job(self._planner, run) if self.recipe.costs.measured else None

    def _measured(self, runs: Iterable[Job]) -> list[Job]:
        return [job for job in map(self.costs, runs) if job is not None]

    @property
    def epochs(self) -> float:
        """Epochs of training in the plan, the triggers' runs not counted: they are known once the dense runs are."""
        return sum(job.cost for job in self.graph().jobs)

    @property
    def later(self) -> int:
        """The most runs that triggers may add."""
        return len(self.recipe.triggers) * len(self.recipe.seeds)

    @cached_property
    def _planner(self) -> Planner:
        return Planner(self.recipe, self.device, self.setting)

    def _grid_moments(self) -> list[Moment]:
        return [self._planner.moment(text, "moments") for text in self.recipe.moments]

    def _pruned(self, seed: int, moment: Moment) -> Job:
        r = self.recipe
        config = PrunedConfig(
            model=r.model,
            data=r.data,
            train=r.train,
            seeds=Seeds(init=seed, order=seed, pruning=seed),
            prune=r.prune,
            at=str(moment),
        )
        parts = score_parts(r.prune)
        left = left_to_train(r.prune.after, moment, r.train.epochs)
        label = f"pruned at {moment}, seed {seed}"
        return self._planner.job("pruned_run", config, {"dense": self.dense[seed]}, parts, label, left)

    def _instabilities(self) -> dict[tuple[int, Moment], Job]:
        moments = [self._planner.moment(text, "instability.moments") for text in self.recipe.instability.moments]
        return {(seed, moment): self._instability(seed, moment) for seed in self.recipe.seeds for moment in moments}

    def _instability(self, seed: int, moment: Moment) -> Job:
        """Copies of the dense run at a moment: itself, and others whose orders are the same at every moment."""
        r, wanted = self.recipe, self.recipe.instability
        others = (derive_seed("instability", seed, copy) for copy in range(1, wanted.copies))
        config = InstabilityConfig(
            model=r.model,
            data=r.data,
            train=r.train,
            seeds=Seeds(init=seed, order=seed, pruning=seed),
            at=str(moment),
            order_seeds=(seed, *others),
            after=wanted.after,
            prune=r.prune if wanted.pruned else None,
            points=wanted.points,
        )
        parts = score_parts(r.prune) if wanted.pruned else {}
        trained = wanted.copies - (wanted.after == "continue" and not wanted.pruned)
        cost = trained * left_to_train(wanted.after, moment, r.train.epochs)
        label = f"instability at {moment}, seed {seed}"
        return self._planner.job("instability_run", config, {"dense": self.dense[seed]}, parts, label, cost)
