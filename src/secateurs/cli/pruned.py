"""A finished run that pruned itself, as the report takes it."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from secateurs.core import Keep, Log
from secateurs.how import Mask
from secateurs.jobs import Store
from secateurs.papers.common import versions
from secateurs.report.automatic import AutomaticResult, Channels, Layer
from secateurs.studies import log_of
from secateurs.studies.automatic import AutomaticPlan
from secateurs.studies.cell_costs import cell_costs
from secateurs.studies.charged import Leg
from secateurs.studies.pruned_folder import keep_of, mask_of, saved_by
from secateurs.studies.runs import load_data
from secateurs.studies.schema import ChannelRecipe
from secateurs.when import describe, explain, reached_bound


def result_of(plan: AutomaticPlan, store: Store, *, recipe: str, command: str) -> AutomaticResult:
    """What the run came to.

    Raises:
        StoreError: when it is not finished.
    """
    entry = store.entry(plan.job)
    r, summary, rows = plan.recipe, entry.summary, entry.rows()
    data = load_data(r.data)
    sizes = ", ".join(f"{len(getattr(data, part)):,} {part}" for part in ("train", "validation", "test"))
    mask, keep = mask_of(entry), keep_of(entry)
    left = mask if keep is None else keep
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
        layers=_layers(mask, keep, summary),
        counted=r.prune.counted if isinstance(r.prune, ChannelRecipe) else "weights",
        channels=() if keep is None else tuple(Channels(name, len(k), int(k.sum())) for name, k in keep.items()),
        saved=None if left is None else saved_by(plan, left),
        provenance={
            "recipe": recipe,
            "command": command,
            "key": plan.job.key,
            "device": plan.job.numerics.device,
            "versions": versions(),
            "resolved": r.model_dump(mode="json"),
        },
        costs=cell_costs(
            plan.job,
            [Leg(plan.job, signals=plan.rule.needs)],
            store,
            steps_per_epoch=plan.steps_per_epoch,
            examples=len(data.train),
        ),
        chance=1 / data.num_classes,
    )


def _layers(mask: Mask | None, keep: Keep | None, summary: Mapping[str, Any]) -> tuple[Layer, ...]:
    """What is left of the prunable weights of each layer, under a mask or without the channels that went."""
    if keep is not None:
        sizes = {name: prod(shape) for name, shape in keep.groups[0].weights.items()}
        return tuple(Layer(n, size, round(summary["layer_densities"][n] * size)) for n, size in sizes.items())
    return () if mask is None else tuple(Layer(n, mask[n].numel(), int(mask[n].sum())) for n in mask)
