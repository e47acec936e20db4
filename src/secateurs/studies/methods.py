"""P2 chapter 5 as a graph of jobs: masks by many methods at many densities and moments, and what they train to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from secateurs.core import Moment, Spec, version_of
from secateurs.jobs import Entry, Graph, Job, Store
from secateurs.studies.mask_runs import MaskConfig
from secateurs.studies.plan import Planner, left_to_train
from secateurs.studies.pruned_runs import PrunedConfig
from secateurs.studies.schema import MethodRecipe, Methods, PruneRecipe
from secateurs.train import Seeds
from secateurs.what import SCORES

_LOSS = (Spec("loss"),)  # dense runs are the reference line; all that is watched is how they go
_SCORING = 0.1  # what a mask counts in progress bars, in epochs


@dataclass(frozen=True)
class Cell:
    """One cell of the study: a method at a density, a moment of pruning and a seed, with its mask and its run.

    ``run`` is None where masks are all that is asked for. Cells may share jobs: a method and its shuffle have one mask.
    """

    method: str
    density: float
    moment: str
    seed: int
    mask: Job
    run: Job | None


class _Pruning(NamedTuple):
    """One method at one density: where its mask is found, and laid on."""

    method: str
    settings: PruneRecipe
    scored: Moment
    at: Moment


@dataclass(frozen=True)
class MethodsPlan:
    """The plan of one setting of a recipe on a kind of device.

    Attributes:
        dense: the dense run of each seed: the reference line, and what later moments start from. None
            at all, where only masks of untrained networks are asked for.

    Raises:
        TrainingError: when a moment lies outside the run, the device lacks the precision, or the
            network does not suit the data.
        PruningError: when a method's ``exclude`` names what the network has not.
        DataError: when the data cannot be used, or a batch is larger than they are.
    """

    recipe: Methods
    device: str = "cpu"
    setting: str = ""
    dense: Mapping[int, Job] = field(init=False)

    def __post_init__(self) -> None:
        self._planner.check_pruning(
            {f"methods.{name}": method for name, method in self.recipe.methods.items()}, self.recipe.densities
        )
        scored_later = [pruning for pruning in self._prunings if pruning.scored.steps]
        object.__setattr__(self, "dense", self._every_dense if self.recipe.trained or scored_later else {})

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch of the recipe."""
        return self._planner.steps_per_epoch

    def cells(self, store: Store) -> list[Cell]:
        """All cells, seed by seed, in the recipe's order; they are the same before and after anything has run."""
        del store
        return list(self._cells)

    def graph(self) -> Graph:
        """Dense runs, then masks and what is trained with them; nothing is added as they are done."""
        wanted = [job for cell in self._cells for job in (cell.mask, cell.run) if job is not None]
        return Graph((*self.dense.values(), *wanted), grow=self.grow)

    def grow(self, job: Job, entry: Entry) -> Iterable[Job]:
        """Nothing: all jobs are known beforehand."""
        del job, entry
        return ()

    def jobs(self, store: Store) -> tuple[Job, ...]:
        """All jobs of the plan."""
        del store
        return self.graph().jobs

    @property
    def epochs(self) -> float:
        """Epochs of training in the plan; a mask counts as a tenth of one."""
        return sum(job.cost for job in self.graph().jobs)

    @property
    def later(self) -> int:
        """None: all jobs are known beforehand."""
        return 0

    @cached_property
    def _planner(self) -> Planner:
        return Planner(self.recipe, self.device, self.setting)

    @cached_property
    def _every_dense(self) -> dict[int, Job]:
        return {seed: self._planner.dense(seed, _LOSS) for seed in self.recipe.seeds}

    @cached_property
    def _prunings(self) -> tuple[_Pruning, ...]:
        return tuple(
            _Pruning(name, method.at_density(density), scored, at)
            for name, method in self.recipe.methods.items()
            for density in self.recipe.densities
            for scored, at in dict.fromkeys(self._moments(name, method))
        )

    def _moments(self, name: str, method: MethodRecipe) -> Iterator[tuple[Moment, Moment]]:
        """Where a method finds its masks, and where each is laid on."""
        own = method.at is not None
        for text in (method.at,) if method.at is not None else self.recipe.moments:
            at = self._planner.moment(text, f"methods.{name}.at" if own else "moments")
            scored = method.scored_at
            yield at if scored is None else self._planner.moment(scored, f"methods.{name}.scored_at"), at

    @cached_property
    def _cells(self) -> tuple[Cell, ...]:
        return tuple(self._cell(pruning, seed) for seed in self.recipe.seeds for pruning in self._prunings)

    def _cell(self, pruning: _Pruning, seed: int) -> Cell:
        mask = self._mask(pruning, seed)
        if not self.recipe.trained:
            mask = self._shuffled(pruning, seed, mask) if pruning.settings.ablation == "shuffle" else mask
        run = self._run(pruning, seed, mask) if self.recipe.trained else None
        return Cell(pruning.method, pruning.settings.density, str(pruning.at), seed, mask, run)

    def _mask(self, pruning: _Pruning, seed: int) -> Job:
        r, settings, scored = self.recipe, pruning.settings, pruning.scored
        config = MaskConfig(
            model=r.model, data=r.data, train=r.train, seeds=_seeds(seed), mask=settings.mask, at=str(scored)
        )
        parts = {f"score/{settings.score.name}": version_of(SCORES[settings.score.name])}
        label = f"mask of {pruning.method}, density {settings.density:g}, scored at {scored}, seed {seed}"
        return self._planner.job("mask_run", config, self._dense_at(scored, seed), parts, label, _SCORING)

    def _shuffled(self, pruning: _Pruning, seed: int, mask: Job) -> Job:
        label = f"mask of {pruning.method}, density {pruning.settings.density:g}, shuffled, seed {seed}"
        config = self._masked(pruning, seed)
        return self._planner.job("shuffled_mask", config, {"mask": mask}, {}, label, _SCORING)

    def _run(self, pruning: _Pruning, seed: int, mask: Job) -> Job:
        settings, at = pruning.settings, pruning.at
        config = self._masked(pruning, seed)
        inputs = {"mask": mask, **self._dense_at(at, seed)}
        label = f"{pruning.method}, density {settings.density:g}, at {at}, seed {seed}"
        cost = left_to_train(settings.after, at, self.recipe.train.epochs)
        return self._planner.job("masked_run", config, inputs, {}, label, cost)

    def _masked(self, pruning: _Pruning, seed: int) -> PrunedConfig:
        r, settings, at = self.recipe, pruning.settings, str(pruning.at)
        return PrunedConfig(model=r.model, data=r.data, train=r.train, seeds=_seeds(seed), prune=settings, at=at)

    def _dense_at(self, moment: Moment, seed: int) -> dict[str, Job]:
        """The dense run as an input, where its later weights are needed."""
        return {"dense": self._every_dense[seed]} if moment.steps else {}


def _seeds(seed: int) -> Seeds:
    return Seeds(init=seed, order=seed, pruning=seed)
