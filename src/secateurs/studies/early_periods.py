"""P0's study as a graph of jobs: one dense run a seed, one pruned run a moment, and one where each trigger fires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from secateurs.core import Log, Moment, TrainingError, prunable, version_of
from secateurs.jobs import REGISTRY, Entry, Graph, Job, Numerics, Store
from secateurs.studies.recipe import EarlyPeriods
from secateurs.studies.runs import DenseConfig, PrunedConfig, identity_and_place, load_data
from secateurs.train import Seeds, check_precision
from secateurs.what import SCORES
from secateurs.when import SIGNALS, replay, trigger_of
from secateurs.zoo import AUGMENTATIONS, DATASETS, MODELS, build_model


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

    def __post_init__(self) -> None:
        r = self.recipe
        check_precision(r.train.precision, torch.device(self.device))
        data = load_data(r.data)
        with torch.device("meta"):  # takes no memory, and shows at once whether the network suits the data
            prunable(build_model(r.model, data.input_shape, data.num_classes, seed=0), r.prune.exclude)
        dense = {seed: self._dense(seed) for seed in self.recipe.seeds}
        object.__setattr__(self, "dense", dense)
        list(self._grid_moments())

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch of the recipe."""
        return self.recipe.train.steps_per_epoch(load_data(self.recipe.data).train)

    def graph(self) -> Graph:
        """Dense runs and the grid of pruned runs; a finished dense run adds the runs that its triggers choose."""
        grid = [self._pruned(seed, moment) for seed in self.recipe.seeds for moment in self._grid_moments()]
        return Graph((*self.dense.values(), *grid), grow=self.grow)

    def choices(self, store: Store) -> list[Choice]:
        """Every pruned run that the finished dense runs in ``store`` ask for, grid first, each once."""
        found: dict[str, Choice] = {}
        for seed, job in self.dense.items():
            wanted: list[tuple[str, Moment]] = [("grid", moment) for moment in self._grid_moments()]
            entry = store.entry(job)
            if entry.done:
                wanted += self.fired(entry).items()
            for who, moment in wanted:
                pruned = self._pruned(seed, moment)
                known = found.get(pruned.key)
                found[pruned.key] = Choice(seed, moment, pruned, (*known.chosen_by, who) if known else (who,))
        return list(found.values())

    def fired(self, dense: Entry) -> dict[str, Moment]:
        """When each trigger would have fired in this dense run; those that never do are left out.

        A run that diverged is no dense run to compare with: no trigger is judged on it.
        """
        if dense.summary["diverged"] is not None:
            return {}
        log = log_of(dense.rows(), self.steps_per_epoch)
        moments = {name: replay(trigger_of(spec), log) for name, spec in self.recipe.triggers.items()}
        return {name: moment for name, moment in moments.items() if moment is not None}

    @property
    def epochs(self) -> float:
        """Epochs of training in the plan, the triggers' runs not counted: they are known once the dense runs are."""
        return sum(job.cost for job in self.graph().jobs)

    def _grid_moments(self) -> Iterator[Moment]:
        per_epoch, epochs = self.steps_per_epoch, self.recipe.train.epochs
        for text in self.recipe.moments:
            moment = Moment.parse(text, per_epoch)
            if moment.steps > epochs * per_epoch:
                raise TrainingError(f"moments: {text} lies outside the run of {epochs} epochs of {per_epoch} steps")
            yield moment

    def grow(self, job: Job, entry: Entry) -> Iterable[Job]:
        """The runs that the triggers choose, once a dense run is done."""
        for seed, dense in self.dense.items():
            if dense.key == job.key:
                yield from (self._pruned(seed, moment) for moment in self.fired(entry).values())

    def _dense(self, seed: int) -> Job:
        r = self.recipe
        config = DenseConfig(
            model=r.model,
            data=r.data,
            train=r.train,
            seeds=Seeds(init=seed, order=seed, pruning=0),
            signals=r.signals,
            checkpoint_every=r.checkpoint_every,
        )
        parts = {f"signal/{spec.name}": version_of(SIGNALS[spec.name]) for spec in r.signals}
        return self._job("dense_run", config.model_dump(mode="json"), {}, parts, f"dense, seed {seed}", r.train.epochs)

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
        dump, dense = config.model_dump(mode="json"), {"dense": self.dense[seed]}
        left = r.train.epochs - moment.epochs
        return self._job("pruned_run", dump, dense, parts, f"pruned at {moment}, seed {seed}", left)

    def _job(
        self, name: str, config: dict[str, Any], inputs: dict[str, Job], parts: dict[str, int], label: str, cost: float
    ) -> Job:
        r = self.recipe
        parts = parts | {
            f"model/{r.model.name}": version_of(MODELS[r.model.name]),
            f"data/{r.data.name}": version_of(DATASETS[r.data.name]),
            f"augment/{r.train.augment}": version_of(AUGMENTATIONS[r.train.augment]),
            f"optimizer/{r.train.optimizer.name}": version_of(r.train.optimizer),
            f"schedule/{r.train.schedule.name}": version_of(r.train.schedule),
        }
        identity, places = identity_and_place(r.data)
        return Job(
            name=name,
            version=REGISTRY[name].version,
            config={**config, "data": identity},
            where=places,
            inputs=inputs,
            parts=parts,
            data=load_data(r.data).digest,
            numerics=Numerics(device=self.device, dtype=r.train.precision, threads=r.threads),
            label=f"{self.setting}: {label}" if self.setting else label,
            group=self.setting,
            cost=max(cost, 0.5),  # also a run pruned at the very end takes some time
        )


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
