"""P0's study as a graph of jobs: one dense run a seed, one pruned run a moment, and one where each trigger fires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from secateurs.core import Log, Moment, derive_seed, version_of
from secateurs.jobs import Entry, Graph, Job, Store
from secateurs.studies.instability_runs import InstabilityConfig
from secateurs.studies.plan import Planner, left_to_train
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.schema import EarlyPeriods
from secateurs.train import Seeds
from secateurs.what import SCORES
from secateurs.when import reached_bound, replay


@dataclass(frozen=True)
class Choice:
    """One pruned run of the study: which seed, when, and who wanted it (``"grid"`` or triggers' names)."""

    seed: int
    moment: Moment
    job: Job
    chosen_by: tuple[str, ...]


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
        return Graph((*self.dense.values(), *grid, *self.instabilities.values()), grow=self.grow)

    def jobs(self, store: Store) -> tuple[Job, ...]:
        """All jobs of the plan, with those that the triggers chose in the dense runs that are done."""
        pruned = (choice.job for choice in self.choices(store))
        return Graph((*self.dense.values(), *pruned, *self.instabilities.values())).jobs

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
                found[pruned.key] = Choice(seed, moment, pruned, (*known.chosen_by, who) if known else (who,))
        return list(found.values())

    def fired(self, seed: int, dense: Entry) -> dict[str, Moment]:
        """When each trigger would have fired in this seed's dense run; those that never do are left out.

        A run that diverged is no dense run to compare with: no trigger is judged on it.
        """
        log = self._log(dense)
        moments = {name: replay(self.recipe.trigger(name, seed), log) for name in self.recipe.triggers if log}
        return {name: moment for name, moment in moments.items() if moment is not None}

    def at_bound(self, seed: int, dense: Entry) -> tuple[str, ...]:
        """The triggers that fired in this seed's dense run only because their upper bound was reached."""
        log = self._log(dense)
        return tuple(name for name in self.recipe.triggers if reached_bound(self.recipe.trigger(name, seed), log))

    def _log(self, dense: Entry) -> Log:
        return [] if dense.summary["diverged"] is not None else log_of(dense.rows(), self.steps_per_epoch)

    def grow(self, job: Job, entry: Entry) -> Iterable[Job]:
        """The runs that the triggers choose, once a dense run is done."""
        for seed, dense in self.dense.items():
            if dense.key == job.key:
                yield from (self._pruned(seed, moment) for moment in self.fired(seed, entry).values())

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
        parts = {f"score/{r.prune.score.name}": version_of(SCORES[r.prune.score.name])}
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
        parts = {f"score/{r.prune.score.name}": version_of(SCORES[r.prune.score.name])} if wanted.pruned else {}
        trained = wanted.copies - (wanted.after == "continue" and not wanted.pruned)
        cost = trained * left_to_train(wanted.after, moment, r.train.epochs)
        label = f"instability at {moment}, seed {seed}"
        return self._planner.job("instability_run", config, {"dense": self.dense[seed]}, parts, label, cost)


def log_of(rows: Iterable[Mapping[str, Any]], steps_per_epoch: int) -> Log:
    """A dense run's metric rows as the log that a trigger reads: moments and finite scalar values.

    >>> log_of([{"moment": "1ep", "epoch": 1, "fisher_trace": 2.0, "seconds": 0.1}], 10)
    [(Moment(steps=10, steps_per_epoch=10), {'fisher_trace': 2.0})]
    """
    return [
        (
            Moment.parse(row["moment"], steps_per_epoch),
            {
                name: float(value)
                for name, value in row.items()
                if isinstance(value, int | float) and name not in ("epoch", "epochs") and not name.startswith("seconds")
            },
        )
        for row in rows
    ]
