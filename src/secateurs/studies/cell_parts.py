"""What the jobs of all cells of a study of methods are made with, and what the making of a cell comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from secateurs.core import Moment
from secateurs.jobs import Job
from secateurs.procedures import ChannelSettings, MaskSettings
from secateurs.studies.cells import Pruning
from secateurs.studies.plan import Planner
from secateurs.studies.runs import RunConfig
from secateurs.studies.schema import Methods
from secateurs.studies.schema.pruning import score_parts
from secateurs.train import Seeds

SCORING = 0.1
"""What finding a mask or channels counts in progress bars, in epochs."""


class Made(NamedTuple):
    """The jobs of a cell: ``scored`` says how far the dense run is needed to find what goes; ``before``, other runs."""

    scored: Moment
    mask: Job | None
    run: Job | None
    before: tuple[Job, ...] = ()


@dataclass(frozen=True)
class CellParts:
    """Makes the jobs of a plan's cells.

    Attributes:
        recipe, planner: of the plan.
        dense: the dense run of a seed.
    """

    recipe: Methods
    planner: Planner
    dense: Callable[[int], Job]

    def job(
        self,
        name: str,
        config: RunConfig,
        inputs: Mapping[str, Job],
        label: str,
        cost: float,
        scores: MaskSettings | ChannelSettings | None = None,
    ) -> Job:
        """A job; with ``scores``, the version of what it scores by is in its key."""
        parts = {} if scores is None else score_parts(scores)
        return self.planner.job(name, config, inputs, parts, label, cost)

    def dense_at(self, moment: Moment, seed: int) -> dict[str, Job]:
        """The dense run as an input, where its later weights are needed."""
        return {"dense": self.dense(seed)} if moment.steps else {}

    def shared(self, seed: int) -> dict[str, Any]:
        """What every run follows from."""
        r = self.recipe
        seeds = Seeds(init=seed, order=seed, pruning=seed)
        return {"model": r.model, "data": r.data, "train": r.train, "seeds": seeds}

    def trained(self, seed: int) -> dict[str, Any]:
        """What every run follows from that trains."""
        return {**self.shared(seed), "curves": self.recipe.curves}


def named(pruning: Pruning) -> str:
    """A method at a density, for labels."""
    return f"{pruning.method}, density {pruning.settings.density:g}"
