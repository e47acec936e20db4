"""An advice as a graph of jobs: dense networks, pruned to one density, and short copies of each that are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from secateurs.core import SecateursError
from secateurs.jobs import Graph, Job
from secateurs.studies.advice.given import PLACE, GivenConfig
from secateurs.studies.plan import ForeseenPlan, Planner
from secateurs.studies.regimes.jobs import Pruned, RegimeJobs
from secateurs.studies.regimes.plan import RegimesPlan
from secateurs.studies.schema.advice import Advice, Given
from secateurs.train import Seeds, TrainSettings

_FIELDS = {"load.values": "density", "temperature.values": "at"}
"""What fields of the study of regimes are called in an advice."""

_SHORT = 0.1  # what a job counts in progress bars that trains nothing, in epochs


@dataclass(frozen=True)
class AdviceCell:
    """One dense network that may be pruned, and its copies.

    Attributes:
        network: what it is called; those of several seeds have one name.
        stopped: after how many epochs its training was stopped; None: not known.
        train: how it was trained; None: not known.
        dense: trains it; None where it was given.
        start: the dense network as it is pruned.
        mask: what of it is kept.
        runs: retrain the copies, for a short while.
        probes: compare copies 0 and 1, 0 and 2, ..., 1 and 2, ...
    """

    network: str
    stopped: float | None
    train: TrainSettings | None
    seed: int
    dense: Job | None
    start: Job
    mask: Job
    runs: tuple[Job, ...]
    probes: tuple[Job, ...]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What is wanted for it."""
        return (*(() if self.dense is None else (self.dense,)), self.start, self.mask, *self.runs, *self.probes)


@dataclass(frozen=True)
class AdvicePlan(ForeseenPlan):
    """The plan of an advice on a kind of device.

    Raises:
        TrainingError: when an epoch lies outside the run, or the network does not suit the data.
        PruningError: when ``prune.exclude`` names what the network has not, or a layer would be left without a weight
            whatever its weights are.
        DataError: when the data cannot be used, or CKA would see too few samples.
    """

    recipe: Advice
    device: str = "cpu"
    setting: str = ""

    def __post_init__(self) -> None:
        try:
            RegimesPlan(self.recipe.regimes, self.device, self.setting)  # refuses what cannot be run
        except SecateursError as error:
            field, told, rest = str(error).partition(": ")
            raise type(error)(_FIELDS.get(field, field) + told + rest) from error

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch of the recipe."""
        return self._planner.steps_per_epoch

    def cells(self) -> tuple[AdviceCell, ...]:
        """All dense networks that may be pruned: network by network, seed by seed."""
        return self._cells

    def graph(self) -> Graph:
        """Dense networks, masks, copies and comparisons; all is known beforehand."""
        return Graph(job for cell in self._cells for job in cell.jobs)

    @cached_property
    def _planner(self) -> Planner:
        return Planner(self.recipe.regimes, self.device, self.setting)

    @cached_property
    def _jobs(self) -> RegimeJobs:
        return RegimeJobs(self.recipe.regimes, self._planner)

    @cached_property
    def _cells(self) -> tuple[AdviceCell, ...]:
        r = self.recipe
        if r.networks:
            return tuple(self._of_a_file(name, each) for name, own in r.networks.items() for each in own)
        found = sorted(RegimesPlan(r.regimes, self.device, self.setting).cells(), key=lambda cell: -cell.temperature)
        return tuple(
            AdviceCell(
                network=f"epoch {cell.temperature:g}",
                stopped=cell.temperature,
                train=r.train,
                seed=cell.seed,
                dense=cell.dense,
                start=cell.start,
                mask=cell.mask,
                runs=cell.runs,
                probes=cell.probes,
            )
            for cell in found
        )

    def _of_a_file(self, name: str, given: Given) -> AdviceCell:
        r, jobs, start = self.recipe, self._jobs, self._taken_in(name, given)
        told = f"{name}, density {r.density:g}, seed {given.seed}"
        pruned = Pruned(r.model, r.train, r.density, given.seed, told)
        mask = jobs.mask(pruned, start)
        runs = tuple(jobs.run(pruned, start, mask, copy) for copy in range(r.copies))
        pairs = combinations(range(r.copies), 2)
        probes = tuple(jobs.pair(pruned, (runs[i], runs[j]), (i, j), "probe") for i, j in pairs)
        return AdviceCell(name, given.stopped, given.train, given.seed, None, start, mask, runs, probes)

    def _taken_in(self, name: str, given: Given) -> Job:
        """What reads a dense network from its file; its key has the file's digest, not its place."""
        r = self.recipe.regimes
        config = GivenConfig(
            model=r.model, data=r.data, train=r.retraining, seeds=Seeds(), digest=given.digest, prefix=given.prefix
        )
        job = self._planner.job("given_state", config, {}, {}, f"{name}, seed {given.seed}, as it is", _SHORT)
        return replace(job, where={**job.where, PLACE: given.file})


__all__ = ["AdviceCell", "AdvicePlan"]
