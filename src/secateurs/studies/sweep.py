"""A recipe with several settings as one graph: what two settings share (a dense run, say) is one job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from secateurs.jobs import Entry, Graph, Job, Store
from secateurs.studies.early_periods import EarlyPeriodsStudy
from secateurs.studies.recipe import EarlyPeriods


@dataclass(frozen=True)
class Sweep:
    """The plans of all settings of a recipe, by label; a recipe without settings has one, labelled ``""``.

    Raises:
        TrainingError: when a moment lies outside the run.
        DataError: when the data cannot be used, or a batch is larger than they are.
    """

    recipe: EarlyPeriods
    device: str = "cpu"
    studies: dict[str, EarlyPeriodsStudy] = field(init=False)

    def __post_init__(self) -> None:
        studies = {label: EarlyPeriodsStudy(r, self.device, label) for label, r in self.recipe.each().items()}
        object.__setattr__(self, "studies", studies)

    def graph(self) -> Graph:
        """All jobs that are known before anything has run; the triggers' runs are added as dense runs end."""
        return Graph([job for study in self.studies.values() for job in study.graph().jobs], grow=self._grow)

    def jobs(self, store: Store) -> tuple[Job, ...]:
        """All jobs of the sweep, with those that the triggers chose in the dense runs that are done."""
        wanted = [job for study in self.studies.values() for job in study.dense.values()]
        wanted += [choice.job for study in self.studies.values() for choice in study.choices(store)]
        return Graph(wanted).jobs

    def _grow(self, job: Job, entry: Entry) -> Iterable[Job]:
        for study in self.studies.values():
            yield from study.grow(job, entry)
