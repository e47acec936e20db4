"""P4, "A Three-regime Model of Network Pruning": studies of regimes as rows for the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console

from secateurs.core.regimes import TEMPERATURES, hotter_first
from secateurs.jobs import Job, Store
from secateurs.papers.citations import citation
from secateurs.papers.common import data, face, plans_of, summary
from secateurs.report import Written
from secateurs.report.regimes import (
    Axis,
    RegimeCellRow,
    RegimeStudy,
    RegimeTerms,
    show_regimes,
    write_regimes_report,
)
from secateurs.studies import RegimeCell, RegimesPlan, Sweep
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.runs import load_data

CITATION = """\
@inproceedings{zhou_2023_three_regime,
  title     = {A Three-regime Model of Network Pruning},
  author    = {Zhou, Yefan and Yang, Yaoqing and Chang, Arin and Mahoney, Michael W.},
  booktitle = {International Conference on Machine Learning},
  year      = {2023}
}"""

_LOADS = {"density": "density", "width": "width, times the network's", "depth": "depth"}


def study_of(ordered: Ordered, store: Store) -> RegimeStudy:
    """The rows of a study of regimes, finished or not, as the report takes them.

    Raises:
        RecipeError: when it is a study of another kind.
    """
    sweep = Sweep(ordered.recipe, ordered.device)
    plans = plans_of(ordered, sweep, RegimesPlan)
    return RegimeStudy(
        **face(ordered, sweep, store, citation(ordered)),
        cells=[_row(label, cell, store) for label, plan in plans.items() for cell in plan.cells()],
        temperatures={label: _temperature(plan) for label, plan in plans.items()},
        loads={label: _load(plan) for label, plan in plans.items()},
        terms={label: _terms(plan) for label, plan in plans.items()},
        notes=data(sweep),
    )


def write(folder: StudyFolder) -> tuple[RegimeStudy, Written]:
    """Write the report (HTML, PNG, CSV) of the study in ``folder`` beside its results."""
    study = study_of(folder.ordered(), folder.store)
    return study, write_regimes_report(study, folder.root)


def show(study: RegimeStudy, console: Console) -> None:
    """Print what the study found."""
    show_regimes(study, console)


def _temperature(plan: RegimesPlan) -> Axis:
    said = plan.recipe.temperature
    return Axis(said.name, hotter_first(said.name, said.values), TEMPERATURES[said.name].words)


def _load(plan: RegimesPlan) -> Axis:
    said = plan.recipe.load
    return Axis(said.name, tuple(sorted(said.values)), _LOADS[said.name])


def _terms(plan: RegimesPlan) -> RegimeTerms:
    r = plan.recipe
    return RegimeTerms(
        threshold=r.threshold,
        similar_from=r.similar_from,
        copies=r.copies,
        retrain_epochs=r.retraining.epochs,
        dense_epochs=plan.dense_epochs,
        last_epochs=r.last_epochs,
        tuning=None if r.tuning is None else (r.tuning.initial, r.tuning.raised),
        probe_epochs=plan.probe_epochs,
        ends=r.compares_ends,
        probe_only=r.probe_only,
        points=r.compare.points,
        samples=r.compare.samples,
        outputs=r.compare.outputs,
        chance=1 / load_data(r.data).num_classes,
    )


def _row(setting: str, cell: RegimeCell, store: Store) -> RegimeCellRow:
    def told(jobs: Iterable[Job]) -> tuple[Mapping[str, Any], ...]:
        return tuple(summary(store, job) for job in jobs)

    (dense, mask) = told((cell.start, cell.mask))
    place = (setting, cell.temperature, cell.load, cell.density, cell.seed)
    return RegimeCellRow(*place, dense, mask, told(cell.runs), told(cell.ends), told(cell.probes))
