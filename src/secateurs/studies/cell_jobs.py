"""The jobs of one cell of a study of methods: what finds, what trains, what measures, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from secateurs.core import Moment
from secateurs.how import DENSITIES
from secateurs.jobs import Job
from secateurs.studies.cells import Cell, Pruning
from secateurs.studies.channel_runs import ChoiceConfig
from secateurs.studies.charged import Leg
from secateurs.studies.cost_runs import costs_job
from secateurs.studies.level_runs import LevelConfig
from secateurs.studies.mask_runs import MaskConfig
from secateurs.studies.plan import Planner, left_to_train
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.rounds_runs import RoundsConfig, moments_of_rounds
from secateurs.studies.runs import RunConfig
from secateurs.studies.schema import ChannelRecipe, MethodRecipe, Methods, PruneRecipe
from secateurs.studies.schema.common import END
from secateurs.studies.schema.pruning import score_parts
from secateurs.train import Seeds

_SCORING = 0.1  # what finding a mask or channels counts in progress bars, in epochs


class _Made(NamedTuple):
    """The jobs of a cell: ``scored`` says how far the dense run is needed to find what goes; ``before``, other runs."""

    scored: Moment
    mask: Job | None
    run: Job | None
    before: tuple[Job, ...] = ()


@dataclass(frozen=True)
class CellJobs:
    """Makes the cells of a plan.

    Attributes:
        recipe, planner: of the plan.
        dense: the dense run of a seed.
    """

    recipe: Methods
    planner: Planner
    dense: Callable[[int], Job]

    def cell(self, pruning: Pruning, seed: int, at: Moment) -> Cell:
        """The cell of a method at a density that prunes at a moment, with all its jobs."""
        if pruning.said.every is not None:
            made = self._in_rounds(pruning, seed, at, pruning.said.every)
        elif isinstance(pruning.said, MethodRecipe) and pruning.said.levels is not None:
            made = self._in_levels(pruning, pruning.said, seed, at)
        elif isinstance(pruning.settings, ChannelRecipe):
            made = self._cut(pruning, pruning.settings, seed, at)
        else:
            made = self._masked(pruning, pruning.settings, seed, at)
        needs = pruning.trigger(self.recipe.train.epochs, seed).needs if pruning.by_trigger else frozenset()
        until = max(at, made.scored)
        dense = (Leg(self.dense(seed), until, needs),) if until.steps else ()
        costs = costs_job(self.planner, made.run) if made.run is not None and self.recipe.costs.measured else None
        return Cell(
            method=pruning.method,
            density=pruning.settings.density,
            moment=pruning.moment,
            seed=seed,
            at=at,
            scored=made.scored if made.mask is not None else at,
            mask=made.mask,
            run=made.run,
            costs=costs,
            legs=(*dense, *(Leg(job) for job in (*made.before, made.mask, made.run) if job is not None)),
        )

    def _masked(self, pruning: Pruning, settings: PruneRecipe, seed: int, at: Moment) -> _Made:
        scored = pruning.scored or at
        config = MaskConfig(**self._shared(seed), mask=settings.mask, at=str(scored))
        label = f"mask of {_named(pruning)}, scored at {scored}, seed {seed}"
        mask = self._job("mask_run", config, self._dense_at(scored, seed), label, _SCORING, settings)
        laid = PrunedConfig(**self._trained(seed), prune=settings, at=str(at))
        if self.recipe.trained:
            return _Made(scored, mask, self._run("masked_run", laid, {"mask": mask}, pruning, seed, at))
        if settings.ablation == "shuffle":
            label = f"mask of {_named(pruning)}, shuffled, seed {seed}"
            mask = self._job("shuffled_mask", laid, {"mask": mask}, label, _SCORING)
        return _Made(scored, mask, None)

    def _cut(self, pruning: Pruning, settings: ChannelRecipe, seed: int, at: Moment) -> _Made:
        scored = pruning.scored or at
        config = ChoiceConfig(**self._shared(seed), channels=settings.choice, at=str(scored))
        label = f"channels of {_named(pruning)}, scored at {scored}, seed {seed}"
        found = self._job("channels_run", config, self._dense_at(scored, seed), label, _SCORING, settings)
        if not self.recipe.trained:
            return _Made(scored, found, None)
        cut = PrunedConfig(**self._trained(seed), prune=settings, at=str(at))
        return _Made(scored, found, self._run("cut_run", cut, {"channels": found}, pruning, seed, at))

    def _in_rounds(self, pruning: Pruning, seed: int, at: Moment, every: str | int) -> _Made:
        settings, epochs = pruning.settings, self.recipe.train.epochs
        first = moments_of_rounds(at, every, settings, epochs, f"methods.{pruning.method}.every")[0]
        step = Moment.parse(every, at.steps_per_epoch)
        config = RoundsConfig(**self._trained(seed), prune=settings, at=str(at), every=str(step))
        label = f"{_named(pruning)}, in rounds from {at}, seed {seed}"
        cost = left_to_train("continue", first, epochs)
        return _Made(first, None, self._job("rounds_run", config, self._dense_at(first, seed), label, cost, settings))

    def _in_levels(self, pruning: Pruning, said: MethodRecipe, seed: int, at: Moment) -> _Made:
        end = self.planner.moment(END, "levels")
        runs: list[Job] = []
        earlier = self.dense(seed)
        densities = DENSITIES["exponential"](pruning.settings.density, said.levels)
        for number, density in enumerate(densities, 1):
            settings, ended = said.at_density(density), None if runs else str(end)
            config = LevelConfig(**self._trained(seed), prune=settings, at=str(at), ended=ended)
            inputs = {"earlier": earlier, **self._dense_at(at, seed)}
            label = f"{_named(pruning)}, rewound to {at}, level {number} of {said.levels}, seed {seed}"
            cost = left_to_train(settings.after, at, self.recipe.train.epochs)
            earlier = self._job("level_run", config, inputs, label, cost, settings)
            runs.append(earlier)
        return _Made(end, None, runs[-1], tuple(runs[:-1]))

    def _run(
        self, name: str, config: PrunedConfig, found: Mapping[str, Job], pruning: Pruning, seed: int, at: Moment
    ) -> Job:
        """What trains a network that was pruned at once."""
        label = f"{_named(pruning)}, at {at}, seed {seed}"
        cost = left_to_train(pruning.settings.after, at, self.recipe.train.epochs)
        return self._job(name, config, {**found, **self._dense_at(at, seed)}, label, cost)

    def _job(
        self,
        name: str,
        config: RunConfig,
        inputs: Mapping[str, Job],
        label: str,
        cost: float,
        scores: PruneRecipe | ChannelRecipe | None = None,
    ) -> Job:
        parts = {} if scores is None else score_parts(scores)
        return self.planner.job(name, config, inputs, parts, label, cost)

    def _dense_at(self, moment: Moment, seed: int) -> dict[str, Job]:
        """The dense run as an input, where its later weights are needed."""
        return {"dense": self.dense(seed)} if moment.steps else {}

    def _shared(self, seed: int) -> dict[str, Any]:
        """What every run follows from."""
        r = self.recipe
        seeds = Seeds(init=seed, order=seed, pruning=seed)
        return {"model": r.model, "data": r.data, "train": r.train, "seeds": seeds}

    def _trained(self, seed: int) -> dict[str, Any]:
        """What every run follows from that trains."""
        return {**self._shared(seed), "curves": self.recipe.curves}


def _named(pruning: Pruning) -> str:
    return f"{pruning.method}, density {pruning.settings.density:g}"
