"""A recipe with several settings as one graph: what two settings share (a dense run, say) is one job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from secateurs.core import RecipeError
from secateurs.jobs import Entry, Graph, Job, Store
from secateurs.studies.kinds import STUDIES
from secateurs.studies.plan import Plan
from secateurs.studies.schema import StudyRecipe

P = TypeVar("P")


@dataclass(frozen=True)
class Sweep:
    """The plans of all settings of a recipe, by label; a recipe without settings has one, labelled ``""``.

    Raises:
        TrainingError: when a moment lies outside the run.
        DataError: when the data cannot be used, or a batch is larger than they are.
    """

    recipe: StudyRecipe
    device: str = "cpu"
    studies: dict[str, Plan] = field(init=False)

    def __post_init__(self) -> None:
        plan = STUDIES[self.recipe.study].plan
        studies = {label: plan(recipe, self.device, label) for label, recipe in self.recipe.each().items()}
        object.__setattr__(self, "studies", studies)

    def plans(self, kind: type[P]) -> dict[str, P]:
        """The plans, for those who deal with one kind.

        Raises:
            RecipeError: when the recipe is of another kind.
        """
        found: dict[str, P] = {label: plan for label, plan in self.studies.items() if isinstance(plan, kind)}
        if len(found) < len(self.studies):
            raise RecipeError(f"{self.recipe.title}: a study of kind {self.recipe.study} has no {kind.__name__}")
        return found

    def graph(self) -> Graph:
        """All jobs that are known before anything has run; those that finished ones ask for are added then."""
        return Graph([job for study in self.studies.values() for job in study.graph().jobs], grow=self._grow)

    def jobs(self, store: Store) -> tuple[Job, ...]:
        """All jobs of the sweep, with those that the jobs that are done asked for."""
        return Graph([job for study in self.studies.values() for job in study.jobs(store)]).jobs

    def _grow(self, job: Job, entry: Entry) -> Iterable[Job]:
        for study in self.studies.values():
            yield from study.grow(job, entry)
