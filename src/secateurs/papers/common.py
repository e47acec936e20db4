"""What the papers' modules share: where a study's numbers come from, and on which data."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, TypedDict, TypeVar

import yaml

from secateurs.jobs import Job, Store
from secateurs.report import DenseRun, Provenance
from secateurs.studies import Sweep
from secateurs.studies.folder import Ordered
from secateurs.studies.plan import Plan
from secateurs.studies.runs import load_data

P = TypeVar("P")


class Face(TypedDict):
    """What the rows of a study begin with, whatever its kind."""

    title: str
    figure: str
    scale: str
    citation: str
    provenance: Provenance


def face(ordered: Ordered, sweep: Sweep, store: Store, citation: str) -> Face:
    """What a study is called, what it regenerates, and where its numbers come from."""
    return {
        "title": title(ordered),
        "figure": ordered.recipe.figure,
        "scale": scale(ordered),
        "citation": citation,
        "provenance": provenance(ordered, sweep.jobs(store)),
    }


def plans_of(ordered: Ordered, sweep: Sweep, kind: type[P]) -> dict[str, P]:
    """The plans by the label of their setting; the only one of a recipe without settings goes by the study's name.

    Raises:
        RecipeError: when the study is of another kind.
    """
    return {label or ordered.name: plan for label, plan in sweep.plans(kind).items()}


def title(ordered: Ordered) -> str:
    """The recipe's title, with the scale where it is not the paper's: titles tell what the paper did."""
    other = scale(ordered)
    return ordered.recipe.title + (f" (scale {other})" if other else "")


def scale(ordered: Ordered) -> str:
    """The scale that was run; empty where it is the paper's, or the recipe has none."""
    name = ordered.name.partition("@")[2]
    return "" if name == "paper" else name


def provenance(ordered: Ordered, jobs: Iterable[Job]) -> Provenance:
    """Where the numbers of a study come from."""
    recipe = ordered.recipe
    return Provenance(
        recipe=yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False),
        command=ordered.command,
        versions=versions(),
        seeds={str(seed): f"init {seed}, order {seed}, pruning {seed}" for seed in recipe.seeds},
        keys={job.label: job.key for job in jobs},
    )


def versions() -> dict[str, str]:
    """What the numbers were made with."""
    packages = ("secateurs", "torch", "numpy", "scikit-learn")
    return {"Python": platform.python_version(), **{package: version(package) for package in packages}}


def dense_runs(plan: Plan, dense: Iterable[tuple[int, Job]], store: Store, setting: str) -> list[DenseRun]:
    """The dense runs of a setting, by seed."""
    epochs, per_epoch = plan.recipe.train.epochs, plan.steps_per_epoch
    return [
        DenseRun(seed, setting, per_epoch, epochs, store.entry(job).rows(), summary(store, job)) for seed, job in dense
    ]


def summary(store: Store, job: Job) -> dict[str, Any]:
    """What a job came to, and its seconds; empty when it is not done."""
    entry = store.entry(job)
    return {**entry.summary, "seconds": entry.seconds} if entry.done else {}


def data(sweep: Sweep) -> list[str]:
    """What was trained and tested on, by its title, with the sizes of its parts."""
    told = []
    for plan in sweep.studies.values():
        loaded = load_data(plan.recipe.data)
        sizes = ", ".join(f"{len(getattr(loaded, part)):,} {part}" for part in ("train", "validation", "test"))
        told.append(f"Data: {loaded.title} ({sizes} examples).")
    return list(dict.fromkeys(told))
