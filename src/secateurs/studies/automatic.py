"""One run that prunes itself, planned from a recipe of early periods, a trigger and a seed."""

from __future__ import annotations

from dataclasses import dataclass

from secateurs.core import RecipeError, Trigger, did_you_mean
from secateurs.jobs import Graph, Job
from secateurs.studies.automatic_runs import AutomaticConfig, rule_of
from secateurs.studies.firing import signals_for
from secateurs.studies.plan import Planner
from secateurs.studies.schema import EarlyPeriods, StudyRecipe
from secateurs.studies.schema.pruning import score_parts, signal_parts
from secateurs.studies.triggers import moments_of, named_trigger, with_trigger
from secateurs.train import Seeds


@dataclass(frozen=True)
class AutomaticPlan:
    """One run that prunes itself, on a kind of device; :meth:`of` makes it.

    Attributes:
        recipe: with the one trigger, and the signals that are measured.
        trigger: its name in the recipe.
        rule: the trigger as it acts in this run.
        seed: of weights, of data order and of pruning at once.
        job: what is to be run.
        steps_per_epoch: optimiser steps in one epoch.
    """

    recipe: EarlyPeriods
    trigger: str
    rule: Trigger
    seed: int
    job: Job
    steps_per_epoch: int

    @classmethod
    def of(
        cls,
        recipe: EarlyPeriods,
        trigger: str | None = None,
        *,
        seed: int = 0,
        device: str = "cpu",
        all_signals: bool = False,
    ) -> AutomaticPlan:
        """Plan the run.

        Args:
            recipe: of one setting; its own moments and seeds are not looked at.
            trigger: see :func:`~secateurs.studies.triggers.named_trigger`.
            seed: from 0 on.
            device: ``"cpu"`` or ``"cuda"``.
            all_signals: until it is pruned, measure all signals of the recipe, not only those that the trigger needs.

        Raises:
            RecipeError: when there is no such trigger, it lies outside the run, or needs a signal that does not exist.
            SignalError: when the run does not suit it.
            TrainingError, PruningError, DataError: as for the study of early periods.
        """
        name, spec = named_trigger(trigger, recipe)
        rule = rule_of(spec, recipe.train, recipe.prune, seed)
        r = with_trigger(recipe, name, spec, signals_for([rule], recipe.signals, all_signals))
        planner = Planner(r, device, "")
        planner.check_pruning({"prune": r.prune}, [r.prune.density])
        for moment in moments_of(rule):
            planner.moment(moment, f"trigger {name!r}")
        config = AutomaticConfig(
            model=r.model,
            data=r.data,
            train=r.train,
            seeds=Seeds(init=seed, order=seed, pruning=seed),
            prune=r.prune,
            signals=r.signals,
            trigger=spec,
            rule=repr(rule),
        )
        label = f"pruned by {name!r}, seed {seed}"
        parts = signal_parts(r.signals) | score_parts(r.prune)
        job = planner.job("automatic_run", config, {}, parts, label, r.train.epochs)
        return cls(r, name, rule, seed, job, planner.steps_per_epoch)

    def graph(self) -> Graph:
        """The run."""
        return Graph([self.job])


def one_setting(recipe: StudyRecipe, label: str | None = None) -> EarlyPeriods:
    """The recipe of one setting, for those who run it once.

    Raises:
        RecipeError: when the recipe is of another kind than early periods, or has several settings and
            none of this label.
    """
    if not isinstance(recipe, EarlyPeriods):
        raise RecipeError(
            f"{recipe.title}: a recipe of kind {recipe.study} compares methods and has no trigger: take one of kind "
            "early_periods ('secateurs recipes' lists them)"
        )
    settings = recipe.each()
    if label is None and len(settings) == 1:
        (label,) = settings
    if label is None or label not in settings:
        labels = [each for each in settings if each]
        told = f"no setting {label!r}" if label is not None else "has several settings: name one with --setting"
        raise RecipeError(f"{recipe.title}: {told}{did_you_mean(label or '', labels)}")
    return settings[label]
