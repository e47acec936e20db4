"""Advice by P4's Algorithms 1 and 2.1: dense networks, pruned and shortly retrained, as rows for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console

from secateurs.core import Moment
from secateurs.jobs import Job, Store
from secateurs.papers.citations import citation
from secateurs.papers.common import provenance, summary
from secateurs.report import Written
from secateurs.report.advice import AdviceStudy, Candidate, Knobs, Source, Spent, show_advice, write_advice
from secateurs.report.regimes.rows import RegimeCellRow, RegimeTerms
from secateurs.studies.advice.plan import AdviceCell, AdvicePlan
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.runs import load_data
from secateurs.studies.schema.advice import Advice
from secateurs.studies.sweep import Sweep

_SCOPES = {"layer": "the same share of every layer", "global": "of all layers together", "erk": "ERK in layers"}


def study_of(ordered: Ordered, store: Store) -> AdviceStudy:
    """The rows of an advice, finished or not, as the report takes them.

    Raises:
        RecipeError: when the study is of another kind.
    """
    sweep = Sweep(ordered.recipe, ordered.device)
    plans = sweep.plans(AdvicePlan)
    cells = [(f"{label}: " if label else "", cell) for label, plan in plans.items() for cell in plan.cells()]
    plan = next(iter(plans.values()))
    found: dict[str, list[AdviceCell]] = {}
    for label, cell in cells:
        found.setdefault(label + cell.network, []).append(cell)
    return AdviceStudy(
        title=ordered.recipe.title,
        about=_about(plan),
        density=plan.recipe.density,
        candidates=tuple(_candidate(name, own, plan.recipe, store) for name, own in found.items()),
        terms=_terms(plan),
        spent=_spent([cell for _, cell in cells], store),
        source=_source(plan.recipe),
        provenance=provenance(ordered, sweep.jobs(store)),
        citation=citation(ordered),
    )


def write(folder: StudyFolder) -> tuple[AdviceStudy, Written]:
    """Write the advice in ``folder`` as a page, a picture and JSON beside its results."""
    study = study_of(folder.ordered(), folder.store)
    return study, write_advice(study, folder.root)


def show(study: AdviceStudy, console: Console) -> None:
    """Print the advice."""
    show_advice(study, console)


def _candidate(name: str, cells: Sequence[AdviceCell], recipe: Advice, store: Store) -> Candidate:
    train = cells[0].train
    if train is None:
        knobs = Knobs(cells[0].stopped, None, None, None, None)
    else:
        rho = 0.0 if train.sam is None else train.sam.rho
        knobs = Knobs(cells[0].stopped, train.epochs, train.batch_size, train.lr, rho)
    return Candidate(name, knobs, tuple(_row(name, cell, recipe.density, store) for cell in cells))


def _row(name: str, cell: AdviceCell, density: float, store: Store) -> RegimeCellRow:
    return RegimeCellRow(
        setting=name,
        temperature=cell.stopped or 0.0,
        load=density,
        density=density,
        seed=cell.seed,
        dense=summary(store, cell.start),
        mask=summary(store, cell.mask),
        runs=tuple(summary(store, job) for job in cell.runs),
        probes=tuple(summary(store, job) for job in cell.probes),
    )


def _terms(plan: AdvicePlan) -> RegimeTerms:
    r, data = plan.recipe, load_data(plan.recipe.data)
    retraining = r.regimes.retraining
    probe = Moment.parse(r.compare.probe or 0, retraining.steps_per_epoch(data.train))
    return RegimeTerms(
        threshold=r.threshold,
        similar_from=r.similar_from,
        copies=r.copies,
        retrain_epochs=retraining.epochs,
        probe_epochs=probe.epochs,
        ends=False,
        points=r.compare.points,
        samples=min(r.compare.samples, len(data.train)),
        outputs=r.compare.outputs,
        chance=1 / data.num_classes,
    )


def _spent(cells: Sequence[AdviceCell], store: Store) -> Spent:
    """What the advice took, each job once; of jobs that are not done their epochs alone."""
    dense = dict.fromkeys(cell.dense for cell in cells if cell.dense is not None)
    runs = dict.fromkeys(job for cell in cells for job in cell.runs)
    pairs = dict.fromkeys(job for cell in cells for job in cell.probes)
    passes: Counter[str] = Counter()
    for job in pairs:
        passes.update(summary(store, job).get("passes", {}))
    return Spent(
        dense_epochs=sum(job.cost for job in dense),
        dense_seconds=_seconds(dense, store) if dense else None,
        copies_epochs=sum(job.cost for job in runs),
        copies_seconds=_seconds(runs, store),
        passes=dict(passes),
        compare_seconds=_seconds(pairs, store),
    )


def _seconds(jobs: Iterable[Job], store: Store) -> float:
    return sum(entry.seconds for job in jobs if (entry := store.entry(job)).done)


def _source(recipe: Advice) -> Source:
    given = [each for own in recipe.networks.values() for each in own]
    if not given:
        return "trained"
    return "files" if all(each.stopped is None for each in given) else "study"


def _about(plan: AdvicePlan) -> str:
    r, data = plan.recipe, load_data(plan.recipe.data)
    spared = f"; not pruned: {', '.join(r.prune.exclude)}" if r.prune.exclude else ""
    return (
        f"{r.model.name} on {data.title}, {len(data.train):,} training examples. Pruned by {r.prune.score.name}, "
        f"{_SCOPES[r.prune.scope]}{spared}."
    )
