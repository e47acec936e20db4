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
from secateurs.studies import EarlyPeriodsStudy, Sweep
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.runs import load_data
from secateurs.when import signal_of, trigger_of

CITATION = """\
@misc{nunez_soatto_early_pruning_periods,
  title  = {On the Relationship Between Model Training Dynamics and Early Pruning Periods},
  author = {Nunez, Elvis and Soatto, Stefano},
  note   = {University of California, Los Angeles}
}"""

_CURVES = ("fisher_trace", "fisher_trace_empirical", "kl_uniform", "gradient_norm")


def study_of(ordered: Ordered, store: Store) -> Study:
    """The rows of a study, finished or not, as the report takes them."""
    recipe = ordered.recipe
    sweep = Sweep(recipe, ordered.device)
    triggers = {name: spec for plan in sweep.studies.values() for name, spec in plan.recipe.triggers.items()}
    measured = {signal_of(spec).name for plan in sweep.studies.values() for spec in plan.recipe.signals}
    jobs = sweep.jobs(store)
    return Study(
        title=_title(ordered),
        dense=[run for label, plan in sweep.studies.items() for run in _dense(plan, store, label or ordered.name)],
        pruned=[run for label, plan in sweep.studies.items() for run in _pruned(plan, store, label or ordered.name)],
        figure=recipe.figure,
        triggers={name: in_words(spec) for name, spec in triggers.items()},
        needs={name: sorted(trigger_of(spec).needs) for name, spec in triggers.items()},
        signals=[signal for signal in _CURVES if signal in measured],
        provenance=Provenance(
            recipe=yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False),
            command=ordered.command,
            versions=versions(),
            seeds={str(seed): f"init {seed}, order {seed}, pruning {seed}" for seed in recipe.seeds},
            keys={job.label: job.key for job in jobs},
        ),
        citation=CITATION,
        notes=[*_data(sweep), *_collapse(store, jobs)],
    )


def _title(ordered: Ordered) -> str:
    """The recipe's title, with the scale where it is not the paper's: titles tell what the paper did."""
    scale = ordered.name.partition("@")[2]
    return ordered.recipe.title + (f" (scale {scale})" if scale not in ("", "paper") else "")


def _dense(plan: EarlyPeriodsStudy, store: Store, setting: str) -> list[DenseRun]:
    epochs, per_epoch = plan.recipe.train.epochs, plan.steps_per_epoch
    return [
        DenseRun(seed, setting, per_epoch, epochs, store.entry(job).rows(), _summary(store, job))
        for seed, job in plan.dense.items()
    ]


def _pruned(plan: EarlyPeriodsStudy, store: Store, setting: str) -> list[PrunedRun]:
    return [
        PrunedRun(
            seed=choice.seed,
            setting=setting,
            moment=str(choice.moment),
            epoch=choice.moment.epochs,
            density=plan.recipe.prune.density,
            chosen_by=choice.chosen_by,
            summary=_summary(store, choice.job),
        )
        for choice in plan.choices(store)
    ]


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


def _data(sweep: Sweep) -> list[str]:
    """What was trained and tested on, by its title, with the sizes of its parts."""
    told = []
    for plan in sweep.studies.values():
        data = load_data(plan.recipe.data)
        sizes = ", ".join(f"{len(getattr(data, part)):,} {part}" for part in ("train", "validation", "test"))
        told.append(f"Data: {data.title} ({sizes} examples).")
    return list(dict.fromkeys(told))


def _collapse(store: Store, jobs: Iterable[Job]) -> list[str]:
    """Layers left without a single weight are said for what they are."""
    found = []
    for job in jobs:
        layers = _summary(store, job).get("empty_layers", [])
        if layers:
            found.append(f"{job.label}: no weight is left in {', '.join(layers)} (layer collapse)")
    return found
