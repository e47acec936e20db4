"""The cells of a study of methods: what is pruned how, to which density, where and with which seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from secateurs.core import Moment, PruningError, TrainingError, Trigger
from secateurs.jobs import Job
from secateurs.studies.charged import Leg
from secateurs.studies.plan import Planner
from secateurs.studies.rounds_runs import moments_of_rounds
from secateurs.studies.schema import (
    AnyMethod,
    ChannelMethodRecipe,
    ChannelRecipe,
    DynamicImpRecipe,
    DynamicMethod,
    MethodRecipe,
    Methods,
    PruneRecipe,
    RegrowthRecipe,
)
from secateurs.studies.schema.dynamic import faults_in_steps


@dataclass(frozen=True)
class Cell:
    """One cell of the study: a method at a density, a moment of pruning and a seed, with its jobs.

    Cells may share jobs: a method and its shuffle have one mask.

    Attributes:
        method: its name in the recipe.
        density, seed: of the cell.
        moment: where it is pruned, as it is told: ``"12ep"``, or the name of the trigger that decides.
        at: that moment; None where a trigger decides and has not fired, or its dense run is not done.
        scored: where the mask or the channels are found; for rounds and levels the moment itself.
        mask: finds the mask, or the channels; None for rounds and levels, which find theirs by themselves, and where
            there is no moment.
        run: trains what is left; None where masks are all that is asked for, and where there is no moment.
        costs: measures the network that the run ends with, where that is asked for.
        legs: all that had to be done for the result, this cell's dense prefix included.
        never: the trigger never fired in the dense run.
        diverged: after which moment the dense run diverged that a trigger was to be judged on, so that nobody knows.
    """

    method: str
    density: float
    moment: str
    seed: int
    at: Moment | None = None
    scored: Moment | None = None
    mask: Job | None = None
    run: Job | None = None
    costs: Job | None = None
    legs: tuple[Leg, ...] = ()
    never: bool = False
    diverged: str | None = None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What is wanted for it."""
        return tuple(job for job in (self.mask, self.run, self.costs) if job is not None)


class Pruning(NamedTuple):
    """One method at one density, and where it prunes: a moment of the plan, or where a trigger fires.

    ``scored`` is another moment, where mask or channels are found; None: where it prunes. What is sparse from the
    first step on prunes at step 0.
    """

    method: str
    said: AnyMethod
    settings: PruneRecipe | ChannelRecipe | RegrowthRecipe | DynamicImpRecipe
    at: Moment | None
    scored: Moment | None

    @property
    def by_trigger(self) -> bool:
        """Whether a trigger decides where it prunes."""
        return self.at is None

    @property
    def of_trained_weights(self) -> bool:
        """Whether it scores or prunes others than initial weights."""
        if isinstance(self.settings, DynamicImpRecipe):
            return self.settings.first == "imp"
        return any(moment is None or moment.steps > 0 for moment in (self.at, self.scored or self.at))

    def trigger(self, epochs: int, seed: int) -> Trigger:
        """What decides where it prunes, in the run of a seed.

        Raises:
            PruningError: when no trigger does.
        """
        found = self.said.trigger(self.settings.density, epochs, seed)
        if found is None:
            raise PruningError(f"methods.{self.method}: no trigger decides when it prunes")
        return found

    @property
    def moment(self) -> str:
        """Where it prunes, as it is told."""
        return self.said.when.name if self.at is None and self.said.when is not None else str(self.at)


def prunings(recipe: Methods, planner: Planner) -> Iterator[Pruning]:
    """Every method at every density and moment, in the recipe's order.

    Raises:
        TrainingError: when a moment, or the last of the rounds that begin there, lies outside the run; of dynamic
            sparsity, when its mask would never move, or a switch lies outside the run.
    """
    for name, method in recipe.methods.items():
        if isinstance(method, DynamicMethod):
            yield from _dynamic(recipe, planner, name, method)
            continue
        text = method.scored_at
        scored = None if text is None else planner.moment(text, f"methods.{name}.scored_at")
        for density in recipe.densities:
            settings = method.at_density(density)
            for at in _moments(recipe, planner, name, method):
                if at is not None and method.every is not None:
                    moments_of_rounds(at, method.every, settings, recipe.train.epochs, f"methods.{name}.every")
                yield Pruning(name, method, settings, at, scored)


def _dynamic(recipe: Methods, planner: Planner, name: str, method: DynamicMethod) -> Iterator[Pruning]:
    for density in recipe.densities:
        settings = method.at_density(density)
        for fault in faults_in_steps(settings, recipe.train.epochs, planner.steps_per_epoch):
            raise TrainingError(f"methods.{name}.{fault}")
        yield Pruning(name, method, settings, planner.moment(0, f"methods.{name}"), None)


def _moments(
    recipe: Methods, planner: Planner, name: str, method: MethodRecipe | ChannelMethodRecipe
) -> list[Moment | None]:
    """Where a method prunes, each once; None where a trigger says it."""
    if method.when is not None:
        return [None]
    if method.at is not None:
        return [planner.moment(method.at, f"methods.{name}.at")]
    return list(dict.fromkeys(planner.moment(text, "moments") for text in recipe.moments))
