"""A finished run that pruned itself, as the report takes it."""

from __future__ import annotations

from secateurs.core import Log
from secateurs.jobs import Entry
from secateurs.papers.common import versions
from secateurs.report.automatic import AutomaticResult, Layer
from secateurs.studies import log_of
from secateurs.studies.automatic import AutomaticPlan
from secateurs.studies.pruned_folder import mask_of, saved_by
from secateurs.studies.runs import load_data
from secateurs.when import describe, explain, reached_bound


def result_of(plan: AutomaticPlan, entry: Entry, *, recipe: str, command: str) -> AutomaticResult:
    """What the run came to.

    Raises:
        StoreError: when it is not finished.
    """
    r, summary, rows = plan.recipe, entry.summary, entry.rows()
    data = load_data(r.data)
    sizes = ", ".join(f"{len(getattr(data, part)):,} {part}" for part in ("train", "validation", "test"))
    mask = mask_of(entry)
    log: Log = log_of(rows, plan.steps_per_epoch)
    if summary["pruned"] is not None:  # what was trained afterwards had no part in it
        log = log[: [row["moment"] for row in rows].index(summary["pruned"]) + 1]
    return AutomaticResult(
        title=r.title,
        data=f"{data.title}: {sizes} examples",
        seed=plan.seed,
        epochs=r.train.epochs,
        density=r.prune.density,
        trigger=plan.trigger,
        rule=describe(plan.rule),
        why=explain(plan.rule, log),
        at_bound=reached_bound(plan.rule, log),
        needs=tuple(sorted(plan.rule.needs)),
        rows=rows,
        summary=summary,
        seconds=entry.seconds,
        layers=() if mask is None else tuple(Layer(n, mask[n].numel(), int(mask[n].sum())) for n in mask),
        saved=None if mask is None else saved_by(plan, mask),
        provenance={
            "recipe": recipe,
            "command": command,
            "key": plan.job.key,
            "device": plan.job.numerics.device,
            "versions": versions(),
            "resolved": r.model_dump(mode="json"),
        },
    )
