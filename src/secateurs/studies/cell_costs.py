"""What a cell of a study cost, as the reports take it: its network's costs, and what the way there took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from secateurs.core import Moment
from secateurs.jobs import Entry, Job, Store
from secateurs.measure.costs import area_under, training_flops
from secateurs.studies.charged import Leg, charged, each_once
from secateurs.train.settings import passes_per_step


def cell_costs(
    run: Job, legs: Sequence[Leg], store: Store, *, steps_per_epoch: int, examples: int, measured: Job | None = None
) -> dict[str, Any]:
    """The costs of a run's network, with what the whole cell took; empty as long as the run is not done.

    They are :meth:`Costs.to_json() <secateurs.measure.Costs.to_json>` (as measured where that was asked for and
    is done, else as counted), with the cell's own ``seconds`` and ``emissions``, and beside them ``seconds_signals``
    and ``seconds_scoring`` of those seconds; ``epochs`` trained in all legs, ``density_area``, the area under the
    curve of their densities, in epochs, and ``training_flops``. Each is None where it is not known. An epoch with SAM,
    which passes over its batches twice, is two.

    Args:
        run: whose network it is.
        legs: what was needed for it, the run included.
        steps_per_epoch, examples: optimiser steps, and training examples, in one epoch.
        measured: the job that measures the network.
    """
    entry = store.entry(run)
    if not entry.done or entry.summary.get("costs") is None:
        return {}
    found: dict[str, Any] = dict(entry.summary["costs"])
    if measured is not None and (told := store.entry(measured)).done and told.summary["costs"] is not None:
        found |= told.summary["costs"]
    spent = charged(legs, store)
    found["seconds"] = found["seconds_signals"] = found["seconds_scoring"] = found["emissions"] = None
    if spent is not None:
        found |= {"seconds": spent.seconds, "seconds_signals": spent.signals, "seconds_scoring": spent.scoring}
        found["emissions"] = None if spent.emissions is None else spent.emissions.to_json()
    return found | _trained(legs, store, steps_per_epoch, examples)


def _trained(legs: Iterable[Leg], store: Store, steps_per_epoch: int, examples: int) -> dict[str, float | None]:
    """Epochs, area under the curve of densities and operations of all that was trained, one leg after the other."""
    spans: list[tuple[float, float, float]] = []
    for leg in each_once(legs):
        entry = store.entry(leg.job)
        if not entry.done:
            return {"epochs": None, "density_area": None, "training_flops": None}
        spans += _spans(entry, leg, steps_per_epoch)
    densities, work, end = [], [], 0.0
    for epochs, density, multiply_adds in spans:
        densities.append((end, density))
        work.append((end, multiply_adds))
        end += epochs
    return {
        "epochs": end,
        "density_area": area_under(densities, end) if spans else 0.0,
        "training_flops": training_flops(work, end, examples=examples) if spans else 0.0,
    }


def _spans(entry: Entry, leg: Leg, steps_per_epoch: int) -> list[tuple[float, float, float]]:
    """Of each row of training: its passes in epochs, and the density and multiply-adds that were trained with."""
    costs = entry.summary.get("costs")
    if costs is None:  # a mask that was found: nothing is trained there
        return []
    dense = 1.0, float(costs["multiply_adds_dense"])
    final = 1 - costs["weight_sparsity"], float(costs["multiply_adds"])
    pruned = entry.summary.get("pruned")
    pruned_at = None if pruned is None else Moment.parse(pruned, steps_per_epoch)
    last, found = _start(leg.job, steps_per_epoch), []
    passes = passes_per_step(leg.job.config.get("train", {}).get("sam"))
    left = final if pruned_at is None else dense
    for row in entry.rows():
        if "multiply_adds" in row:  # pruned in several rounds: what is trained from here on
            left = float(row["density"]), float(row["multiply_adds"])
        end = Moment.parse(row["moment"], steps_per_epoch)
        if "lr" in row:  # else nothing was trained: the untrained network's row, or one of scoring or pruning alone
            start = (end.steps - 1) // steps_per_epoch * steps_per_epoch
            start = last if start < last < end.steps else start  # an epoch may have a row for each of its parts
            stop = end.steps if leg.until is None else min(end.steps, leg.until.steps)
            found.append((passes * max(stop - start, 0) / steps_per_epoch, *left))
            last = end.steps
        if end == pruned_at:  # by the order of rows: a schedule that is trained again passes earlier moments once more
            left = final
    return found


def _start(job: Job, steps_per_epoch: int) -> int:
    """Where a run begins to train, in steps: its moment, of rounds the first; 0 where the whole schedule is trained."""
    config = job.config
    if "at" not in config or config.get("prune", {}).get("after") == "replay":
        return 0
    rounds = Moment.parse(config.get("every", 0), steps_per_epoch).steps
    return Moment.parse(config["at"], steps_per_epoch).steps + rounds
