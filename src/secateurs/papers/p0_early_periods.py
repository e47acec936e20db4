"""P0, "On the Relationship Between Model Training Dynamics and Early Pruning Periods": its study and its figure."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import yaml

from secateurs.core import Spec
from secateurs.jobs import Job, Store
from secateurs.report import DenseRun, Provenance, PrunedRun, Study, Written, write_report
from secateurs.studies import EarlyPeriodsStudy
from secateurs.studies.folder import Ordered, StudyFolder

CITATION = """\
@misc{nunez_soatto_early_pruning_periods,
  title  = {On the Relationship Between Model Training Dynamics and Early Pruning Periods},
  author = {Nunez, Elvis and Soatto, Stefano},
  note   = {University of California, Los Angeles}
}"""

_CURVES = ("fisher_trace", "kl_uniform", "gradient_norm")


def study_of(ordered: Ordered, store: Store) -> Study:
    """The rows of a study, finished or not, as the report takes them."""
    recipe, name = ordered.recipe, ordered.name
    plan = EarlyPeriodsStudy(recipe, ordered.device)
    choices = plan.choices(store)
    measured = {spec.name for spec in recipe.signals}
    return Study(
        title=recipe.title,
        dense=[
            DenseRun(
                seed, name, plan.steps_per_epoch, recipe.train.epochs, store.entry(job).rows(), _summary(store, job)
            )
            for seed, job in plan.dense.items()
        ],
        pruned=[
            PrunedRun(
                seed=choice.seed,
                setting=name,
                moment=str(choice.moment),
                epoch=choice.moment.epochs,
                density=recipe.prune.density,
                chosen_by=choice.chosen_by,
                summary=_summary(store, choice.job),
            )
            for choice in choices
        ],
        triggers={trigger: in_words(spec) for trigger, spec in recipe.triggers.items()},
        signals=[signal for signal in _CURVES if signal in measured],
        provenance=Provenance(
            recipe=yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False),
            command=ordered.command,
            versions=versions(),
            seeds={str(seed): f"init {seed}, order {seed}, pruning {seed}" for seed in recipe.seeds},
            keys={job.label: job.key for job in _jobs(plan, [choice.job for choice in choices])},
        ),
        citation=CITATION,
        notes=_collapse(store, [choice.job for choice in choices]),
    )


def write(folder: StudyFolder) -> tuple[Study, Written]:
    """Write the report (HTML, PNG, CSV) of the study in ``folder`` beside its results."""
    study = study_of(folder.ordered(), folder.store)
    return study, write_report(study, folder.root)


def in_words(spec: Spec) -> str:
    """A trigger for a person.

    >>> in_words(Spec("peak", {"signal": "kl_uniform", "patience": 2, "no_later_than": None}))
    'peak: signal kl_uniform, patience 2'
    """
    told = [f"{key.replace('_', ' ')} {value}" for key, value in spec.options.items() if value is not None]
    return f"{spec.name}: {', '.join(told)}"


def versions() -> dict[str, str]:
    """What the numbers were made with."""
    packages = ("secateurs", "torch", "numpy", "scikit-learn")
    return {"Python": platform.python_version(), **{package: version(package) for package in packages}}


def _summary(store: Store, job: Job) -> dict[str, Any]:
    entry = store.entry(job)
    return {**entry.summary, "seconds": entry.seconds} if entry.done else {}


def _jobs(plan: EarlyPeriodsStudy, pruned: Iterable[Job]) -> Iterable[Job]:
    yield from plan.dense.values()
    yield from pruned


def _collapse(store: Store, jobs: Iterable[Job]) -> list[str]:
    """Layers left without a single weight are said for what they are."""
    found = []
    for job in jobs:
        layers = _summary(store, job).get("empty_layers", [])
        if layers:
            found.append(f"{job.label}: no weight is left in {', '.join(layers)} (layer collapse)")
    return found
