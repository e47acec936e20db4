"""The jobs of one cell of a study of methods: what finds, what trains, what measures, and what they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from secateurs.core import Moment
from secateurs.how import DENSITIES
from secateurs.jobs import Job
from secateurs.studies.cell_parts import SCORING, CellParts, Made, named
from secateurs.studies.cells import Cell, Pruning
from secateurs.studies.channel_runs import ChoiceConfig
from secateurs.studies.charged import Leg
from secateurs.studies.cost_runs import costs_job
from secateurs.studies.dynamic_jobs import dynamic_imp_cell, regrown_cell
from secateurs.studies.level_runs import LevelConfig
from secateurs.studies.mask_runs import MaskConfig
from secateurs.studies.plan import left_to_train
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.rounds_runs import RoundsConfig, moments_of_rounds
from secateurs.studies.schema import (
    ChannelMethodRecipe,
    ChannelRecipe,
    DynamicImpRecipe,
    MethodRecipe,
    PruneRecipe,
    RegrowthRecipe,
)
from secateurs.studies.schema.common import END


@dataclass(frozen=True)
class CellJobs:
    """Makes the cells of a plan, with the ``parts`` that all of them share."""

    parts: CellParts

    def cell(self, pruning: Pruning, seed: int, at: Moment) -> Cell:
        """The cell of a method at a density that prunes at a moment, with all its jobs."""
        made = self._made(pruning, seed, at)
        needs = pruning.trigger(self.parts.recipe.train.epochs, seed).needs if pruning.by_trigger else frozenset()
        until = max(at, made.scored)
        dense = (Leg(self.parts.dense(seed), until, needs),) if until.steps else ()
        costs = (
            costs_job(self.parts.planner, made.run)
            if made.run is not None and self.parts.recipe.costs.measured
            else None
        )
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

    def _made(self, pruning: Pruning, seed: int, at: Moment) -> Made:
        said, settings = pruning.said, pruning.settings
        if isinstance(settings, RegrowthRecipe):
            return regrown_cell(self.parts, pruning, settings, seed)
        if isinstance(settings, DynamicImpRecipe):
            return dynamic_imp_cell(self.parts, pruning, settings, seed)
        if isinstance(said, MethodRecipe | ChannelMethodRecipe) and said.every is not None:
            return self._in_rounds(pruning, settings, seed, at, said.every)
        if isinstance(said, MethodRecipe) and said.levels is not None:
            return self._in_levels(pruning, said, seed, at)
        if isinstance(settings, ChannelRecipe):
            return self._cut(pruning, settings, seed, at)
        return self._masked(pruning, settings, seed, at)

    def _masked(self, pruning: Pruning, settings: PruneRecipe, seed: int, at: Moment) -> Made:
        scored = pruning.scored or at
        config = MaskConfig(**self.parts.shared(seed), mask=settings.mask, at=str(scored))
        label = f"mask of {named(pruning)}, scored at {scored}, seed {seed}"
        mask = self.parts.job("mask_run", config, self.parts.dense_at(scored, seed), label, SCORING, settings)
        laid = PrunedConfig(**self.parts.trained(seed), prune=settings, at=str(at))
        if self.parts.recipe.trained:
            return Made(scored, mask, self._run("masked_run", laid, {"mask": mask}, pruning, seed, at))
        if settings.ablation == "shuffle":
            label = f"mask of {named(pruning)}, shuffled, seed {seed}"
            mask = self.parts.job("shuffled_mask", laid, {"mask": mask}, label, SCORING)
        return Made(scored, mask, None)

    def _cut(self, pruning: Pruning, settings: ChannelRecipe, seed: int, at: Moment) -> Made:
        scored = pruning.scored or at
        config = ChoiceConfig(**self.parts.shared(seed), channels=settings.choice, at=str(scored))
        label = f"channels of {named(pruning)}, scored at {scored}, seed {seed}"
        found = self.parts.job("channels_run", config, self.parts.dense_at(scored, seed), label, SCORING, settings)
        if not self.parts.recipe.trained:
            return Made(scored, found, None)
        cut = PrunedConfig(**self.parts.trained(seed), prune=settings, at=str(at))
        return Made(scored, found, self._run("cut_run", cut, {"channels": found}, pruning, seed, at))

    def _in_rounds(
        self, pruning: Pruning, settings: PruneRecipe | ChannelRecipe, seed: int, at: Moment, every: str | int
    ) -> Made:
        epochs = self.parts.recipe.train.epochs
        first = moments_of_rounds(at, every, settings, epochs, f"methods.{pruning.method}.every")[0]
        step = Moment.parse(every, at.steps_per_epoch)
        config = RoundsConfig(**self.parts.trained(seed), prune=settings, at=str(at), every=str(step))
        label = f"{named(pruning)}, in rounds from {at}, seed {seed}"
        cost = left_to_train("continue", first, epochs)
        return Made(
            first, None, self.parts.job("rounds_run", config, self.parts.dense_at(first, seed), label, cost, settings)
        )

    def _in_levels(self, pruning: Pruning, said: MethodRecipe, seed: int, at: Moment) -> Made:
        end = self.parts.planner.moment(END, "levels")
        runs: list[Job] = []
        earlier = self.parts.dense(seed)
        densities = DENSITIES["exponential"](pruning.settings.density, said.levels)
        for number, density in enumerate(densities, 1):
            settings, ended = said.at_density(density), None if runs else str(end)
            config = LevelConfig(**self.parts.trained(seed), prune=settings, at=str(at), ended=ended)
            inputs = {"earlier": earlier, **self.parts.dense_at(at, seed)}
            label = f"{named(pruning)}, rewound to {at}, level {number} of {said.levels}, seed {seed}"
            cost = left_to_train(settings.after, at, self.parts.recipe.train.epochs)
            earlier = self.parts.job("level_run", config, inputs, label, cost, settings)
            runs.append(earlier)
        return Made(end, None, runs[-1], tuple(runs[:-1]))

    def _run(
        self, name: str, config: PrunedConfig, found: Mapping[str, Job], pruning: Pruning, seed: int, at: Moment
    ) -> Job:
        """What trains a network that was pruned at once."""
        label = f"{named(pruning)}, at {at}, seed {seed}"
        cost = left_to_train(config.prune.after, at, self.parts.recipe.train.epochs)
        return self.parts.job(name, config, {**found, **self.parts.dense_at(at, seed)}, label, cost)
