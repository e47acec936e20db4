"""P3, "A Gradient Flow Framework for Analyzing Network Pruning": its analyses of dense runs (sections 4.2 and 4.3).

Its tables of pruned networks are studies of methods, which have a report of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from secateurs.jobs import Store
from secateurs.papers.common import data, face, plans_of, summary
from secateurs.report.importance import ImportanceRun, ImportanceStudy, show_importance, write_importance_report
from secateurs.report.importance.rows import Pairs
from secateurs.report.page import Written
from secateurs.studies import Sweep
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.importance import ImportancePlan
from secateurs.studies.runs import load_data

CITATION = """\
@inproceedings{lubana_dick_2021_gradient_flow,
  title     = {A Gradient Flow Framework for Analyzing Network Pruning},
  author    = {Lubana, Ekdeep Singh and Dick, Robert P.},
  booktitle = {International Conference on Learning Representations},
  year      = {2021}
}"""


def study_of(ordered: Ordered, store: Store) -> ImportanceStudy:
    """The rows of a study, finished or not, as the report takes them.

    Raises:
        RecipeError: when it is a study of another kind.
    """
    sweep = Sweep(ordered.recipe, ordered.device)
    plans = plans_of(ordered, sweep, ImportancePlan)
    return ImportanceStudy(
        **face(ordered, sweep, store, CITATION),
        runs=[run for label, plan in plans.items() for run in _runs(plan, store, label)],
        masked={label: plan.recipe.mask_density for label, plan in plans.items()},
        notes=data(sweep),
        chance={label: 1 / load_data(plan.recipe.data).num_classes for label, plan in plans.items()},
    )


def write(folder: StudyFolder) -> tuple[ImportanceStudy, Written]:
    """Write the report (HTML, PNG, SVG, CSV) of the study in ``folder`` beside its results."""
    study = study_of(folder.ordered(), folder.store)
    return study, write_importance_report(study, folder.root)


def show(study: ImportanceStudy, console: Console) -> None:
    """Print what the study found."""
    show_importance(study, console)


def _runs(plan: ImportancePlan, store: Store, setting: str) -> Iterator[ImportanceRun]:
    for seed, job in plan.runs.items():
        entry = store.entry(job)
        scatters: dict[tuple[int, str], Pairs] = {}
        if entry.done:
            there = {int(row["epoch"]) for row in entry.rows() if row.get("measured") == "flow"}
            for epoch in sorted(there):
                for unit, points in entry.tensors(f"scatter-{epoch}ep").items():
                    scatters[epoch, unit] = [(first, second) for first, second in points.tolist()]
        yield ImportanceRun(
            setting=setting,
            seed=seed,
            epochs=plan.recipe.train.epochs,
            log=entry.rows() if entry.done else (),
            scatters=scatters,
            summary=summary(store, job),
        )
