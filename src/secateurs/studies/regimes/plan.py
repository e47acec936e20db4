"""A study of regimes as a graph of jobs: temperatures x loads x replicates (P4 sections 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import torch

from secateurs.core import DataError, Moment, PruningError, SecateursError, Spec, TrainingError
from secateurs.jobs import Graph, Job
from secateurs.studies.plan import ForeseenPlan, Planner
from secateurs.studies.regimes.jobs import Pruned, RegimeJobs
from secateurs.studies.regimes.pairs import At
from secateurs.studies.schema import Regimes
from secateurs.studies.suiting import check_pruning, check_weights_left
from secateurs.train import check_precision


@dataclass(frozen=True)
class RegimeCell:
    """A dense network of one temperature and one seed, pruned to one load, and its copies.

    Cells may share jobs: one dense run serves all stopping epochs and densities.

    Attributes:
        temperature, load: as the recipe says them; ``density`` is what is left, whatever the load.
        model: what the network is built from.
        dense: trains it, maybe beyond the moment at which it is pruned.
        start: the dense network as it is pruned.
        mask: what of it is kept.
        runs: retrain the copies.
        ends, probes: compare copies 0 and 1, 0 and 2, ..., 1 and 2, ... at the end of retraining, and at the probe;
            empty where that is not asked for; the same where the probe is the end.
    """

    temperature: float
    load: float
    density: float
    seed: int
    model: Spec
    dense: Job
    start: Job
    mask: Job
    runs: tuple[Job, ...]
    ends: tuple[Job, ...] = ()
    probes: tuple[Job, ...] = ()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What is wanted for it."""
        return (self.dense, self.start, self.mask, *self.runs, *self.ends, *self.probes)


@dataclass(frozen=True)
class RegimesPlan(ForeseenPlan):
    """The plan of one setting of a recipe on a kind of device.

    Raises:
        TrainingError: when a temperature or the probe lies outside its run, the device lacks the precision, or a
            network does not suit the data.
        PruningError: when ``prune.exclude`` names what a network has not, or a density keeps none of its weights, or
            none of a layer's, whatever they are.
        DataError: when the data cannot be used, a batch is larger than they are, or CKA would see too few samples.
    """

    recipe: Regimes
    device: str = "cpu"
    setting: str = ""

    def __post_init__(self) -> None:
        self._check_networks()
        self._check_retraining()
        r = self.recipe
        for temperature in r.temperature.values:
            self._jobs.trained(temperature, r.load.values[0], r.seeds[0])

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch of the recipe, as ``train`` says it."""
        return self._planner.steps_per_epoch

    def cells(self) -> tuple[RegimeCell, ...]:
        """All networks: seed by seed, temperature by temperature, load by load."""
        return self._cells

    def graph(self) -> Graph:
        """Dense runs, the networks as they are pruned, their masks, copies and comparisons; all known beforehand."""
        return Graph(job for cell in self._cells for job in cell.jobs)

    @property
    def dense_epochs(self) -> dict[float, float]:
        """By temperature the epochs of training that a dense network has behind it when it is pruned; double with SAM.

        For stopping epochs these are part of one run, which goes on to the end of its schedule.
        """
        r = self.recipe
        networks = {each: self._jobs.trained(each, r.load.values[0], r.seeds[0]) for each in r.temperature.values}
        return {each: network.stop.epochs * network.train.passes_per_step for each, network in networks.items()}

    @property
    def probe_epochs(self) -> float | None:
        """The epochs of retraining after which copies are looked at on their way; None: they are not."""
        probe = self._jobs.probe
        return None if probe is None else probe.epochs

    @cached_property
    def _planner(self) -> Planner:
        return Planner(self.recipe, self.device, self.setting)

    @cached_property
    def _jobs(self) -> RegimeJobs:
        return RegimeJobs(self.recipe, self._planner)

    @cached_property
    def _cells(self) -> tuple[RegimeCell, ...]:
        r = self.recipe
        return tuple(self._cell(*point) for point in product(r.seeds, r.temperature.values, r.load.values))

    def _cell(self, seed: int, temperature: float, load: float) -> RegimeCell:
        jobs, r = self._jobs, self.recipe
        dense, pruned = jobs.trained(temperature, load, seed), jobs.pruned(temperature, load, seed)
        start = jobs.start(dense)
        mask = jobs.mask(pruned, start)
        runs = tuple(jobs.run(pruned, start, mask, copy) for copy in range(r.copies))
        ends = tuple(self._pairs(pruned, runs, "end")) if r.compares_ends else ()
        if r.compare.probe is None:
            probes: tuple[Job, ...] = ()
        else:
            probes = ends if ends and jobs.probes_the_end else tuple(self._pairs(pruned, runs, "probe"))
        return RegimeCell(
            temperature=temperature,
            load=load,
            density=pruned.density,
            seed=seed,
            model=pruned.model,
            dense=jobs.dense(dense),
            start=start,
            mask=mask,
            runs=runs,
            ends=ends,
            probes=probes,
        )

    def _pairs(self, pruned: Pruned, runs: tuple[Job, ...], at: At) -> Iterator[Job]:
        for one, other in combinations(range(len(runs)), 2):
            yield self._jobs.pair(pruned, (runs[one], runs[other]), (one, other), at)

    def _check_networks(self) -> None:
        """Whether each load's network can be built, and pruned to its density."""
        r, data = self.recipe, self._planner.data
        one_network = r.load.name == "density"
        for load in r.load.values[:1] if one_network else r.load.values:
            densities = [r.load.density_of(each) for each in (r.load.values if one_network else [load])]
            model = r.load.model(r.model, load)
            try:
                check_pruning(model, data, {"prune": r.prune.at_density(1.0)}, densities)
            except TrainingError as error:
                raise error if one_network else TrainingError(f"load.values: {load:g}: {error}") from error
            try:
                check_weights_left(model, data, r.prune.exclude, r.prune.scope, min(densities))
            except PruningError as error:
                field = "load.values: " if one_network else f"load.density: {r.load.name} {load:g}: "
                raise PruningError(field + str(error).removeprefix("density: ")) from error

    def _check_retraining(self) -> None:
        """Whether retraining suits data and device, and its probe and CKA's samples lie within them."""
        r, data = self.recipe, self._planner.data
        train = r.retraining
        where = "train" if r.retrain is None else "retrain"
        try:
            check_precision(train.precision, torch.device(self.device))
            per_epoch = train.steps_per_epoch(data.train)
        except SecateursError as error:
            raise type(error)(f"{where}: {str(error).replace('train.', f'{where}.')}") from error
        probe = r.compare.probe
        if probe is not None and Moment.parse(probe, per_epoch).steps > train.epochs * per_epoch:
            raise TrainingError(
                f"compare.probe: {probe} lies outside retraining of {train.epochs} epochs of {per_epoch} steps"
            )
        if r.compared and r.compare.samples < data.num_classes:
            raise DataError(
                f"compare.samples: {r.compare.samples} are fewer than the {data.num_classes} outputs "
                f"that CKA compares: take at least {data.num_classes}"
            )


__all__ = ["RegimeCell", "RegimesPlan"]
