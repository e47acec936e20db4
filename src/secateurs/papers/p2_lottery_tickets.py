"""P2, "The Lottery Ticket Hypothesis: On Sparse, Trainable Neural Networks": its studies of methods (chapter 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from secateurs.core import Moment, Spec
from secateurs.jobs import Store
from secateurs.papers.common import data, dense_runs, provenance, scale, summary, title
from secateurs.report import MethodRun, MethodStudy, ReportedResult, Written, show_methods, write_methods_report
from secateurs.studies import MethodsPlan, Sweep
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.runs import load_data
from secateurs.studies.schema import MethodRecipe

CITATION = """\
@phdthesis{frankle_2023_lottery_tickets,
  title  = {The Lottery Ticket Hypothesis: On Sparse, Trainable Neural Networks},
  author = {Frankle, Jonathan},
  school = {Massachusetts Institute of Technology},
  year   = {2023}
}"""

_AFTER = {
    "replay": "the whole schedule is trained again after pruning",
    "continue": "the rest of the schedule is trained after pruning",
}
_ABLATIONS = {"shuffle": "shuffled within layers", "reinitialise": "re-initialised"}
_SCOPES = {"layer": "the same share in each layer", "erk": "layer by layer (ERK)"}
_CHANGES = {"ablation", "invert"}


def study_of(ordered: Ordered, store: Store) -> MethodStudy:
    """The rows of a study of methods, finished or not, as the report takes them.

    Raises:
        RecipeError: when it is a study of another kind.
    """
    sweep = Sweep(ordered.recipe, ordered.device)
    plans = {label or ordered.name: plan for label, plan in sweep.plans(MethodsPlan).items()}
    methods = {name: method for plan in reversed(plans.values()) for name, method in plan.recipe.methods.items()}
    ordered_names = dict.fromkeys(name for plan in plans.values() for name in plan.recipe.methods)
    methods = {name: methods[name] for name in ordered_names}
    base = bases(methods)
    after = {method.after for method in methods.values()}
    trained = any(plan.recipe.trained for plan in plans.values())
    return MethodStudy(
        title=title(ordered),
        dense=[run for label, plan in plans.items() for run in dense_runs(plan, plan.dense.items(), store, label)],
        runs=[run for label, plan in plans.items() for run in _runs(plan, store, label)],
        methods={name: in_words(method, after=trained and len(after) > 1) for name, method in methods.items()},
        reported=[each for label, plan in plans.items() for each in _reported(plan, label)],
        provenance=provenance(ordered, sweep.jobs(store)),
        citation=CITATION,
        notes=[*data(sweep), *(f"Of all methods {_AFTER[each]}." for each in after if trained and len(after) == 1)],
        figure=ordered.recipe.figure,
        base=base,
        change={name: change(methods[name]) for name in base},
        pinned=_pinned(methods),
        random=[name for name, method in methods.items() if method.score.name == "random"],
        trained=trained,
        chance={label: 1 / load_data(plan.recipe.data).num_classes for label, plan in plans.items()},
        scale=scale(ordered),
    )


def write(folder: StudyFolder) -> tuple[MethodStudy, Written]:
    """Write the report (HTML, PNG, CSV) of the study in ``folder`` beside its results."""
    study = study_of(folder.ordered(), folder.store)
    return study, write_methods_report(study, folder.root)


def show(study: MethodStudy, console: Console) -> None:
    """Print what the study found."""
    show_methods(study, console)


def in_words(method: MethodRecipe, *, after: bool = False) -> str:
    """A method for a person; with ``after`` also what is trained after pruning.

    >>> in_words(MethodRecipe(score=Spec("snip", {"bn": "batch"}), schedule="exponential", ablation="shuffle"))
    'snip (bn batch), 100 exponential steps, shuffled within layers'
    >>> in_words(MethodRecipe(scored_at="end"), after=True)
    'magnitude, mask found at the end of training, the rest of the schedule is trained after pruning'
    """
    return ", ".join(_parts(method, after))


def _parts(method: MethodRecipe, after: bool) -> Iterator[str]:
    yield _score(method.score)
    if method.scope != "global":
        yield _SCOPES[method.scope]
    if method.schedule != "one_shot":
        steps = f"{method.steps} {method.schedule} steps"
        yield f"EarlyCroP's steps, n = {method.steps}" if method.schedule == "early_crop" else steps
    if method.revive:
        yield "dropped weights may come back"
    if method.exclude:
        yield f"without {', '.join(method.exclude)}"
    if change(method):
        yield change(method)
    if method.scored_at is not None:
        yield f"mask found at {_moment(method.scored_at)}"
    if method.at is not None:
        yield f"pruned at {_moment(method.at)}"
    if after:
        yield _AFTER[method.after]


def _score(score: Spec) -> str:
    said = {key.replace("_", " "): value for key, value in score.options.items() if value not in (None, False)}
    shown = {key: f"{value:g}" if isinstance(value, float) else value for key, value in said.items()}
    told = [key if value is True else f"{key} {value}" for key, value in shown.items()]
    return f"{score.name} ({', '.join(told)})" if told else score.name


def _moment(moment: str | int) -> str:
    return "the end of training" if moment == "end" else f"{moment}ep" if isinstance(moment, int) else moment


def change(method: MethodRecipe) -> str:
    """What a method does to its plain counterpart; empty for a plain one.

    >>> change(MethodRecipe(ablation="shuffle", invert=True))
    'inverted, shuffled within layers'
    """
    parts = ["inverted"] if method.invert else []
    return ", ".join([*parts, *([_ABLATIONS[method.ablation]] if method.ablation != "none" else [])])


def bases(methods: Mapping[str, MethodRecipe]) -> dict[str, str]:
    """The methods that are another one with a change (shuffled, re-initialised, inverted), and that other one.

    >>> bases({"plain": MethodRecipe(), "shuffled": MethodRecipe(ablation="shuffle")})
    {'shuffled': 'plain'}
    """
    plain = {name: _unchanged(method) for name, method in methods.items() if not change(method)}
    found = {}
    for name, method in methods.items():
        same = [other for other, settings in plain.items() if change(method) and settings == _unchanged(method)]
        if same:
            found[name] = same[0]
    return found


def _unchanged(method: MethodRecipe) -> dict[str, Any]:
    return {name: getattr(method, name) for name in MethodRecipe.model_fields if name not in _CHANGES}


def _pinned(methods: Mapping[str, MethodRecipe]) -> list[str]:
    """Methods with a moment of their own beside others that have none."""
    own = [name for name, method in methods.items() if method.at is not None]
    return own if len(own) < len(methods) else []


def _runs(plan: MethodsPlan, store: Store, setting: str) -> Iterator[MethodRun]:
    for cell in plan.cells(store):
        method = plan.recipe.methods[cell.method]
        at = Moment.parse(cell.moment, plan.steps_per_epoch)
        scored = Moment.parse(cell.mask.config["at"], plan.steps_per_epoch)
        epochs = plan.recipe.train.epochs
        yield MethodRun(
            setting=setting,
            method=cell.method,
            density=cell.density,
            moment=cell.moment,
            epoch=at.epochs,
            seed=cell.seed,
            # Where nothing is trained, a shuffled mask is a result of its own.
            ablated=cell.run is not None and method.ablation != "none",
            mask=summary(store, cell.mask),
            summary={} if cell.run is None else summary(store, cell.run),
            scored_epoch=None if scored == at else scored.epochs,
            epochs_after=epochs if method.after == "replay" else epochs - at.epochs,
        )


def _reported(plan: MethodsPlan, setting: str) -> Iterator[ReportedResult]:
    for each in plan.recipe.reported:
        yield ReportedResult(setting, each.source, each.method, each.density, each.accuracy)
