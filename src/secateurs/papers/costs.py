"""The costs of a study's cells, from its jobs, as the reports' rows take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from secateurs.jobs import Job, Store
from secateurs.report import DenseRun
from secateurs.studies.cell_costs import cell_costs
from secateurs.studies.charged import Leg
from secateurs.studies.plan import Plan
from secateurs.studies.runs import load_data


def costs_of(plan: Plan, run: Job, legs: Sequence[Leg], store: Store, measured: Job | None = None) -> dict[str, Any]:
    """What a run's network costs, and what its legs took; empty as long as the run is not done."""
    examples = len(load_data(plan.recipe.data).train)
    return cell_costs(run, legs, store, steps_per_epoch=plan.steps_per_epoch, examples=examples, measured=measured)


def with_costs(
    runs: Sequence[DenseRun], plan: Plan, jobs: Mapping[int, Job], store: Store, measured: Mapping[int, Job | None]
) -> list[DenseRun]:
    """Dense runs with the costs of their training in their summaries; of the signals none is charged."""
    return [
        replace(run, summary={**run.summary, "costs": costs_of(plan, job, [Leg(job)], store, measured.get(run.seed))})
        if run.summary
        else run
        for run in runs
        if (job := jobs[run.seed])
    ]
