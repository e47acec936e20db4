"""Studies of methods as rows for the report: P1's tables and figures, P2's chapter 5, P3's tables and curves.

What each paper brings of its own is in its module; a study cites the papers whose figures or tables it regenerates.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from rich.console import Console

from secateurs.jobs import Store
from secateurs.papers.citations import citation
from secateurs.papers.common import data, dense_runs, face, plans_of, summary
from secateurs.papers.costs import costs_of, with_costs
from secateurs.papers.methods_in_words import AFTER, over_settings, when_in_words
from secateurs.papers.p2_lottery_tickets import bases, change
from secateurs.report import MethodRun, MethodStudy, ReportedResult, Written, show_methods, write_methods_report
from secateurs.report.methods import NeverFired
from secateurs.studies import MethodsPlan, Sweep
from secateurs.studies.cells import Cell
from secateurs.studies.firing import log_of
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.rounds_runs import moments_of_rounds
from secateurs.studies.runs import load_data
from secateurs.studies.schema import DynamicImpMethodRecipe, DynamicMethod, MethodRecipe
from secateurs.studies.schema.method import AnyMethod, ChannelMethodRecipe
from secateurs.when import reached_bound


def study_of(ordered: Ordered, store: Store) -> MethodStudy:
    """The rows of a study of methods, finished or not, as the report takes them.

    Raises:
        RecipeError: when it is a study of another kind.
    """
    sweep = Sweep(ordered.recipe, ordered.device)
    plans = plans_of(ordered, sweep, MethodsPlan)
    by_setting = _by_setting(plans.values())
    methods = {name: own[0] for name, own in by_setting.items()}
    cells = {label: plan.cells(store) for label, plan in plans.items()}
    base = bases(methods)
    after = {method.after for method in methods.values() if method.after is not None}
    trained = any(plan.recipe.trained for plan in plans.values())
    return MethodStudy(
        **face(ordered, sweep, store, citation(ordered)),
        dense=[
            run
            for label, plan in plans.items()
            for run in with_costs(
                dense_runs(plan, plan.dense.items(), store, label), plan, plan.dense, store, plan.dense_costs
            )
        ],
        runs=[run for label, plan in plans.items() for run in _runs(plan, cells[label], store, label)],
        methods={name: over_settings(own, after=trained and len(after) > 1) for name, own in by_setting.items()},
        reported=[each for label, plan in plans.items() for each in _reported(plan, label)],
        notes=[*data(sweep), *_notes(methods.values(), after if trained else ())],
        base=base,
        change={name: change(methods[name]) for name in base},
        pinned=_pinned(methods),
        triggered={name: when_in_words(method.when) for name, method in methods.items() if method.when is not None},
        competing=[name for name in _pinned(methods) if methods[name].at not in (None, *_ends(plans.values()))],
        never=[
            NeverFired(label, cell.method, cell.density, cell.seed, cell.diverged)
            for label, own in cells.items()
            for cell in own
            if cell.never or cell.diverged is not None
        ],
        random=[
            name
            for name, method in methods.items()
            if not isinstance(method, DynamicMethod) and method.score.name == "random"
        ],
        trained=trained,
        chance={label: 1 / load_data(plan.recipe.data).num_classes for label, plan in plans.items()},
    )


def write(folder: StudyFolder) -> tuple[MethodStudy, Written]:
    """Write the report (HTML, PNG, CSV) of the study in ``folder`` beside its results."""
    study = study_of(folder.ordered(), folder.store)
    return study, write_methods_report(study, folder.root)


def show(study: MethodStudy, console: Console) -> None:
    """Print what the study found."""
    show_methods(study, console)


def _notes(methods: Iterable[AnyMethod], after: Collection[str]) -> Iterator[str]:
    """What is trained after pruning, where that is the same of all methods that are pruned at a moment."""
    dynamic = any(isinstance(method, DynamicMethod) for method in methods)
    if len(after) == 1:
        of = "Of all methods that are not sparse from the start" if dynamic else "Of all methods"
        yield from (f"{of} {AFTER[each]}." for each in after)
    if dynamic:
        yield (
            "Dynamic sparsity is trained once, in as many steps as the dense network, with its data order and "
            "learning rates; operations and area of one-shot dynamic IMP count the dense trainings that found its "
            "masks as well. Not counted, as of all scores: RigL's dense gradients, one minibatch at each update."
        )


def _by_setting(plans: Iterable[MethodsPlan]) -> dict[str, list[AnyMethod]]:
    """Each method as it is in each setting that has it."""
    found: dict[str, list[AnyMethod]] = {}
    for plan in plans:
        for name, method in plan.recipe.methods.items():
            found.setdefault(name, []).append(method)
    return found


def _ends(plans: Iterable[MethodsPlan]) -> set[str | int]:
    """How recipes say the end of training: what is pruned there is a benchmark, which took a whole dense run first."""
    epochs = {plan.recipe.train.epochs for plan in plans}
    return {"end", *epochs, *(f"{each}ep" for each in epochs)}


def _pinned(methods: Mapping[str, AnyMethod]) -> list[str]:
    """Methods with a moment of their own beside others that have none, and those that a trigger tells theirs."""
    own = [name for name, method in methods.items() if method.at is not None]
    fired = [name for name, method in methods.items() if method.when is not None]
    return [*(own if len(own) + len(fired) < len(methods) else []), *fired]


def _runs(plan: MethodsPlan, cells: list[Cell], store: Store, setting: str) -> Iterator[MethodRun]:
    epochs = plan.recipe.train.epochs
    for cell in cells:
        if cell.at is None:
            continue  # never pruned, or not yet known when
        method = plan.recipe.methods[cell.method]
        channels = method if isinstance(method, ChannelMethodRecipe) else None
        again = method.after == "replay" and getattr(method, "every", None) is None
        yield MethodRun(
            setting=setting,
            method=cell.method,
            density=cell.density,
            moment=cell.moment,
            epoch=cell.at.epochs,
            seed=cell.seed,
            # Where nothing is trained, a shuffled mask is a result of its own.
            ablated=cell.run is not None and isinstance(method, MethodRecipe) and method.ablation != "none",
            mask={} if cell.mask is None else summary(store, cell.mask),
            summary={} if cell.run is None else summary(store, cell.run),
            scored_epoch=_scored(cell, method, epochs),
            epochs_after=epochs if again else epochs - cell.at.epochs,
            how="masks" if channels is None else "channels",
            counted="weights" if channels is None else channels.counted,
            stages=_stages(cell, method, epochs),
            levels=method.levels or 0 if isinstance(method, MethodRecipe) else 0,
            at_bound=_at_bound(plan, cell, method, store),
            costs={} if cell.run is None else costs_of(plan, cell.run, cell.legs, store, cell.costs),
            rows=store.entry(cell.run).rows() if plan.recipe.curves and cell.run is not None else (),
        )


def _scored(cell: Cell, method: AnyMethod, epochs: int) -> float | None:
    """Where what goes was found first, when that is not where it goes, in epochs."""
    if isinstance(method, DynamicImpMethodRecipe) or (isinstance(method, MethodRecipe) and method.levels is not None):
        return float(epochs)  # the last mask needs a dense training to the end
    return None if cell.scored is None or cell.scored == cell.at else cell.scored.epochs


def _at_bound(plan: MethodsPlan, cell: Cell, method: AnyMethod, store: Store) -> bool:
    """Whether the trigger that chose the moment fired only because its upper bound was reached."""
    trigger = method.trigger(cell.density, plan.recipe.train.epochs, cell.seed)
    if trigger is None:
        return False
    return reached_bound(trigger, log_of(store.entry(plan.dense[cell.seed]).rows(), plan.steps_per_epoch))


def _stages(cell: Cell, method: AnyMethod, epochs: int) -> tuple[tuple[float, float], ...]:
    """Of rounds, the epoch of each and the density from there on."""
    if isinstance(method, DynamicMethod) or method.every is None or cell.at is None:
        return ()
    settings = method.at_density(cell.density)
    moments = moments_of_rounds(cell.at, method.every, settings, epochs, "every")
    return tuple((moment.epochs, density) for moment, density in zip(moments, settings.densities(), strict=True))


def _reported(plan: MethodsPlan, setting: str) -> Iterator[ReportedResult]:
    for each in plan.recipe.reported:
        yield ReportedResult(setting, each.source, each.method, each.density, each.accuracy)
