"""P0, "On the Relationship Between Model Training Dynamics and Early Pruning Periods": its study and its figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console

from secateurs.core import Spec, Trigger
from secateurs.jobs import Job, Store
from secateurs.papers.citations import citation
from secateurs.papers.common import data, dense_runs, provenance, scale, summary, title
from secateurs.papers.costs import costs_of, with_costs
from secateurs.report import DenseRun, InstabilityRun, PrunedRun, Study, Written, find, terminal, write_report
from secateurs.studies import Choice, EarlyPeriodsStudy, Sweep
from secateurs.studies.charged import Leg
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.when import Below, TrainLoss, signal_of

CITATION = """\
@misc{nunez_soatto_early_pruning_periods,
  title  = {On the Relationship Between Model Training Dynamics and Early Pruning Periods},
  author = {Nunez, Elvis and Soatto, Stefano},
  note   = {University of California, Los Angeles}
}"""

_CURVES = ("fisher_trace", "fisher_trace_empirical", "kl_uniform", "gradient_norm", "weight_change", "mask_distance")
"""Signals in the order in which they are shown; others follow in the recipe's."""

_RULES = {
    "random": "an epoch drawn from the run's seed",
    "early_crop": "weight change below {}, by half the run",
    "early_bird": "mask distance at most {}",
    "default": "the one that is taken where none is named",
}
"""Triggers whose name does not say what they do."""


def study_of(ordered: Ordered, store: Store, *, costs: bool = True) -> Study:
    """The rows of a study, finished or not, as the report takes them.

    Args:
        costs: whether to work out what each run cost.

    Raises:
        RecipeError: when it is a study of another kind.
    """
    recipe = ordered.recipe
    sweep = Sweep(recipe, ordered.device)
    plans = sweep.plans(EarlyPeriodsStudy)
    recipes = [plan.recipe for plan in plans.values()]
    triggers = {name: spec for each in recipes for name, spec in each.triggers.items()}
    measured = _scalars(spec for each in recipes for spec in each.signals)
    needs = {name: sorted(plan.recipe.trigger(name).needs) for plan in plans.values() for name in plan.recipe.triggers}
    read = {signal for each in needs.values() for signal in each}
    jobs = sweep.jobs(store)
    return Study(
        title=title(ordered),
        dense=[run for label, plan in plans.items() for run in _dense(plan, store, label or ordered.name, costs)],
        pruned=[run for label, plan in plans.items() for run in _pruned(plan, store, label or ordered.name, costs)],
        figure=recipe.figure,
        triggers={name: in_words(spec) for name, spec in triggers.items()},
        needs=needs,
        thresholds=dict(_thresholds(plans, ordered.name)),
        # That the loss falls is no news, unless a trigger waits for it.
        signals=[name for name in measured if name != TrainLoss.name or name in read or measured == [name]],
        instability=[
            InstabilityRun(seed, label or ordered.name, str(moment), moment.epochs, summary(store, job))
            for label, plan in plans.items()
            for (seed, moment), job in plan.instabilities.items()
        ],
        provenance=provenance(ordered, jobs),
        citation=citation(ordered),
        scale=scale(ordered),
        notes=[*data(sweep), *_collapse(store, jobs)],
    )


def _scalars(specs: Iterable[Spec]) -> list[str]:
    """The signals that have one value a measurement, by name, in the order in which they are shown."""
    names = dict.fromkeys(signal_of(spec).name for spec in specs if not spec.options.get("layerwise"))
    return [*(name for name in _CURVES if name in names), *(name for name in names if name not in _CURVES)]


def _thresholds(
    plans: Mapping[str, EarlyPeriodsStudy], name: str
) -> Iterator[tuple[tuple[str, str], tuple[str, float]]]:
    """By setting and trigger, the signal that a trigger waits for to fall, and below what."""
    for label, plan in plans.items():
        for trigger in plan.recipe.triggers:
            for each in _simple(plan.recipe.trigger(trigger)):
                if isinstance(each, Below):
                    yield (label or name, trigger), (each.signal, each.threshold)


def _simple(trigger: Trigger) -> Iterator[Trigger]:
    """What a trigger is made of."""
    inner = getattr(trigger, "triggers", ())
    for each in inner:
        yield from _simple(each)
    if not inner:
        yield trigger


def _dense(plan: EarlyPeriodsStudy, store: Store, setting: str, costs: bool) -> list[DenseRun]:
    runs = dense_runs(plan, plan.dense.items(), store, setting)
    measured = {seed: plan.costs(job) for seed, job in plan.dense.items()}
    return with_costs(runs, plan, plan.dense, store, measured) if costs else runs


def _costs(plan: EarlyPeriodsStudy, store: Store, choice: Choice) -> dict[str, dict[str, Any]]:
    """What a pruned run cost whom: a trigger's includes the signals that it reads."""
    found = {}
    for who in choice.chosen_by:
        needs = plan.recipe.trigger(who, choice.seed).needs if who in plan.recipe.triggers else ()
        legs = [Leg(plan.dense[choice.seed], choice.moment, frozenset(needs)), Leg(choice.job)]
        found[who] = costs_of(plan, choice.job, legs, store, choice.costs)
    return found


def _pruned(plan: EarlyPeriodsStudy, store: Store, setting: str, costs: bool) -> list[PrunedRun]:
    entries = {seed: store.entry(job) for seed, job in plan.dense.items()}
    bounds = {seed: plan.at_bound(seed, entry) if entry.done else () for seed, entry in entries.items()}
    return [
        PrunedRun(
            seed=choice.seed,
            setting=setting,
            moment=str(choice.moment),
            epoch=choice.moment.epochs,
            density=plan.recipe.prune.density,
            chosen_by=choice.chosen_by,
            summary=summary(store, choice.job),
            costs=_costs(plan, store, choice) if costs else {},
            at_bound=tuple(name for name in bounds[choice.seed] if name in choice.chosen_by),
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
