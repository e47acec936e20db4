"""P3's analyses as a graph of jobs: one importance run for each seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch

from secateurs.core import DataError, PruningError, Spec
from secateurs.jobs import Graph, Job
from secateurs.studies.importance_runs import ImportanceConfig
from secateurs.studies.plan import ForeseenPlan, Planner
from secateurs.studies.schema.importance import Importance
from secateurs.studies.schema.pruning import signal_parts
from secateurs.train import Seeds
from secateurs.what import filter_weights, scales_after
from secateurs.zoo import build_model


@dataclass(frozen=True)
class ImportancePlan(ForeseenPlan):
    """The plan of one setting of a recipe on a kind of device.

    Attributes:
        runs: the run of each seed.

    Raises:
        TrainingError: when the device lacks the precision, or the network does not suit the data.
        PruningError: when ``exclude`` names what the network has not, it has no filters to look at, or no
            batch norm follows any of them.
        DataError: when the data cannot be used, a batch is larger than they are, or a class has fewer
            examples than are asked for.
    """

    recipe: Importance
    device: str = "cpu"
    setting: str = ""
    runs: Mapping[int, Job] = field(init=False)

    def __post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "runs", {seed: self._run(seed) for seed in self.recipe.seeds})

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch of the recipe."""
        return self._planner.steps_per_epoch

    def graph(self) -> Graph:
        """The runs; nothing is added as they are done."""
        return Graph(tuple(self.runs.values()), grow=self.grow)

    @cached_property
    def _planner(self) -> Planner:
        return Planner(self.recipe, self.device, self.setting)

    def _check(self) -> None:
        """See at once whether network and data have what is measured."""
        r, data = self.recipe, self._planner.data
        with torch.device("meta"):  # takes no memory
            network = build_model(r.model, data.input_shape, data.num_classes, seed=0)
            weights = filter_weights(network, depthwise=r.depthwise, exclude=r.exclude)
            if "channels" in r.units and r.change_epochs:
                scales = scales_after(network, torch.zeros(1, *data.input_shape))
                if not any(name in scales for name in weights):
                    raise PruningError(
                        "unit: no batch norm follows any of the network's filters: set unit to weights, or every to "
                        "0, or take another network"
                    )
        counts = torch.bincount(data.train.targets.cpu())
        least = int(counts[counts > 0].min())
        if r.examples_per_class > least:
            raise DataError(
                f"examples_per_class: {r.examples_per_class} are asked for, but the smallest class has {least} "
                f"training examples: set it to at most {least}"
            )

    def _run(self, seed: int) -> Job:
        r = self.recipe
        same = ("mask_density", "points", "examples_per_class", "micro_batch", "depthwise", "exclude", "gradient_norms")
        config = ImportanceConfig(
            model=r.model,
            data=r.data,
            train=r.train,
            seeds=Seeds(init=seed, order=seed, pruning=seed),
            units=r.units,
            changes=r.change_epochs,
            scatters=r.scatter_epochs,
            **{name: getattr(r, name) for name in same},
        )
        signals = ("loss", "gradient_norms") if r.gradient_norms else ("loss",)
        parts = signal_parts([Spec(name) for name in signals])
        return self._planner.job("importance_run", config, {}, parts, f"measured, seed {seed}", r.train.epochs)
