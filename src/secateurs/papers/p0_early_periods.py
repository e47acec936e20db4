"""P0, "On the Relationship Between Model Training Dynamics and Early Pruning Periods": its study and its figure."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from secateurs.core import Spec
from secateurs.jobs import Job, Store
from secateurs.papers.common import data, dense_runs, provenance, summary, title
from secateurs.report import InstabilityRun, PrunedRun, Study, Written, find, terminal, write_report
from secateurs.studies import EarlyPeriodsStudy, Sweep
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.when import signal_of

CITATION = """\
@misc{nunez_soatto_early_pruning_periods,
  title  = {On the Relationship Between Model Training Dynamics and Early Pruning Periods},
  author = {Nunez, Elvis and Soatto, Stefano},
  note   = {University of California, Los Angeles}
}"""

_CURVES = ("fisher_trace", "fisher_trace_empirical", "kl_uniform", "gradient_norm")

_RULES = {
    "random": "an epoch drawn from the run's seed",
    "early_crop": "weight change below {}, by half the run",
    "early_bird": "mask distance at most {}",
    "default": "the one that is taken where none is named",
}
"""Triggers whose name does not say what they do."""


def study_of(ordered: Ordered, store: Store) -> Study:
    """The rows of a study, finished or not, as the report takes them.

    Raises:
        RecipeError: when it is a study of another kind.
    """
    recipe = ordered.recipe
    sweep = Sweep(recipe, ordered.device)
    plans = sweep.plans(EarlyPeriodsStudy)
    recipes = [plan.recipe for plan in plans.values()]
    triggers = {name: spec for each in recipes for name, spec in each.triggers.items()}
    measured = {signal_of(spec).name for each in recipes for spec in each.signals}
    jobs = sweep.jobs(store)
    return Study(
        title=title(ordered),
        dense=[
            run
            for label, plan in plans.items()
            for run in dense_runs(plan, plan.dense.items(), store, label or ordered.name)
        ],
        pruned=[run for label, plan in plans.items() for run in _pruned(plan, store, label or ordered.name)],
        figure=recipe.figure,
        triggers={name: in_words(spec) for name, spec in triggers.items()},
        needs={
            name: sorted(plan.recipe.trigger(name).needs) for plan in plans.values() for name in plan.recipe.triggers
        },
        signals=[signal for signal in _CURVES if signal in measured],
        instability=[
            InstabilityRun(seed, label or ordered.name, str(moment), moment.epochs, summary(store, job))
            for label, plan in plans.items()
            for (seed, moment), job in plan.instabilities.items()
        ],
        provenance=provenance(ordered, jobs),
        citation=CITATION,
        notes=[*data(sweep), *_collapse(store, jobs)],
    )


def _pruned(plan: EarlyPeriodsStudy, store: Store, setting: str) -> list[PrunedRun]:
    return [
        PrunedRun(
            seed=choice.seed,
            setting=setting,
            moment=str(choice.moment),
            epoch=choice.moment.epochs,
            density=plan.recipe.prune.density,
            chosen_by=choice.chosen_by,
            summary=summary(store, choice.job),
        )
        for choice in plan.choices(store)
    ]


def write(folder: StudyFolder) -> tuple[Study, Written]:
    """Write the report (HTML, PNG, CSV) of the study in ``folder`` beside its results."""
    study = study_of(folder.ordered(), folder.store)
    return study, write_report(study, folder.root)


def show(study: Study, console: Console) -> None:
    """Print what the study found."""
    terminal.show(find(study), console)


def in_words(spec: Spec) -> str:
    """A trigger for a person.

    >>> in_words(Spec("peak", {"signal": "kl_uniform", "patience": 2, "no_later_than": None}))
    'peak: signal kl_uniform, patience 2'
    >>> in_words(Spec("any_of", {"of": (Spec("early_bird", {"threshold": 0.1}), Spec("at", {"moment": "30%"}))}))
    'any of: (early bird: mask distance at most 0.1), (at: moment 30%)'
    """
    name, options = spec.name.replace("_", " "), dict(spec.options)
    told = [f"({in_words(each)})" for each in options.pop("of", ())]
    if spec.name in _RULES:
        threshold = options.pop("threshold", None)
        told.append(_RULES[spec.name].format("the density" if threshold is None else threshold))
    told += [f"{key.replace('_', ' ')} {value}" for key, value in options.items() if value is not None]
    return f"{name}: {', '.join(told)}" if told else name


def _collapse(store: Store, jobs: Iterable[Job]) -> list[str]:
    """Layers left without a single weight are said for what they are."""
    found = []
    for job in jobs:
        layers = summary(store, job).get("empty_layers", [])
        if layers:
            found.append(f"{job.label}: no weight is left in {', '.join(layers)} (layer collapse)")
    return found
