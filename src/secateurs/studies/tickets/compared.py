"""The jobs of instability analysis among tickets: copies compared at their end, or again and again on the way there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import combinations, product
from statistics import fmean
from typing import Any

from pydantic import Field
from torch import Tensor

from secateurs.core import STABLE_BELOW, Moment, TrainState
from secateurs.jobs import Context, Entry, job
from secateurs.measure import l2_distance
from secateurs.procedures import compare_copies, sound
from secateurs.procedures.instability import Part
from secateurs.studies.copies import packed, restored
from secateurs.studies.ended import end_of, placed
from secateurs.studies.instability_runs import rows_of
from secateurs.studies.runs import load_data, located
from secateurs.studies.tickets.runs import TicketConfig, diverged_before
from secateurs.train import train
from secateurs.zoo import Dataset

PARTS: tuple[Part, ...] = ("train", "test")
"""Of the data, on which copies are compared."""


class ComparedConfig(TicketConfig):
    """What a comparison follows from, beside the state and the mask that all copies start from.

    Attributes:
        order_seeds: one for each copy.
        points: on the way between two copies, ends included.
    """

    order_seeds: tuple[int, ...] = Field(min_length=2)
    points: int = Field(30, ge=2)


class ThroughoutConfig(ComparedConfig):
    """What a comparison on the way follows from; the copies are compared at each of ``moments``, in order."""

    moments: tuple[str, ...] = Field(min_length=1)


@job("compared_run", version=1)
def compared_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Compare the ends of copies ``0``, ``1``, ... of one network at k, trained with other orders of the data.

    Metrics: one row for each pair of copies and part of the data, as an instability run has it. The summary has the
    mean instabilities, and the distances of P2 section 4.3, under the mask where there is one. Where nothing was
    trained, since the dense run or a level before diverged, it says only that. Pauses after every part of every pair.
    """
    c = ComparedConfig.model_validate(located(config, ctx.where))
    runs = [inputs[str(place)] for place in range(len(c.order_seeds))]
    shared = [entry for name, entry in inputs.items() if not name.isdigit()]
    if gone := diverged_before(shared):
        return gone
    data = load_data(c.data, str(ctx.device))
    start = c.begun(data, inputs, ctx)
    end = Moment.parse(c.train.epochs, start.moment.steps_per_epoch)
    alive = {seed: run for seed, run in zip(c.order_seeds, runs, strict=True) if run.summary["diverged"] is None}
    ended = {seed: placed(end_of(run), c.untrained(data, ctx.device), data) for seed, run in alive.items()}
    copies = {seed: copy for seed, copy in ended.items() if sound(copy.model)}
    rows: list[dict[str, Any]] = ctx.restored[1]["rows"] if ctx.restored else []  # one for each that was compared
    for pair, part in list(product(combinations(copies, 2), PARTS))[len(rows) :]:
        two = [copies[seed] for seed in pair]
        found = compare_copies(two, pair, data, start=_k(c, inputs, start), end=end, parts=(part,), points=c.points)
        (row,) = rows_of(found, str(found.start))
        ctx.log(row)
        rows.append({name: row[name] for name in ("part", "instability")})
        ctx.pause_point(lambda: ({}, {"rows": rows}))
    return _summary(rows, start, copies, c, data, ctx)


@job("throughout_run", version=1)
def throughout_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Train copies of one network at k side by side, and compare them at each of the moments (P2 section 4.1.3).

    Metrics: the rows of a compared run, each with ``until``, its moment. The summary is that of the last moment.
    Pauses after every epoch of every copy.
    """
    c = ThroughoutConfig.model_validate(located(config, ctx.where))
    if gone := diverged_before(inputs.values()):
        return gone
    data = load_data(c.data, str(ctx.device))
    start = c.begun(data, inputs, ctx)
    copies = restored(c, data, ctx) or [start.fork() for _ in c.order_seeds]
    compared = ctx.restored[1]["compared"] if ctx.restored else 0
    moments = [Moment.parse(moment, start.moment.steps_per_epoch) for moment in c.moments]
    rows: list[dict[str, Any]] = []
    for number, moment in enumerate(moments[compared:], compared):
        for place, seed in enumerate(c.order_seeds):
            while copies[place].moment < moment and copies[place].diverged is None:
                epoch_end = Moment.parse(copies[place].moment.epoch + 1, moment.steps_per_epoch)
                copies[place] = train(copies[place], data, c.train, until=min(epoch_end, moment), order_seed=seed)
                done = sum(each.moment.epochs for each in copies) / len(copies)
                ctx.progress(epoch=done, epochs=moments[-1].epochs)
                ctx.pause_point(partial(_paused, copies, number))
        found = compare_copies(
            copies, c.order_seeds, data, start=start.moment, end=moment, parts=PARTS, points=c.points
        )
        rows = rows_of(found, str(start.moment))
        for row in rows:
            ctx.log(row)
    ended = {seed: copy for seed, copy in zip(c.order_seeds, copies, strict=True) if seed not in found.diverged}
    return _summary(rows, start, ended, c, data, ctx)


def _paused(copies: list[TrainState], compared: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, meta = packed(copies)
    return tensors, {**meta, "compared": compared}


def _k(c: TicketConfig, inputs: Mapping[str, Entry], start: TrainState) -> Moment:
    """Where the copies were made, in the dense run: those that replay stand at step 0 themselves."""
    per_epoch = start.moment.steps_per_epoch
    return Moment(inputs["start"].summary["state"]["moment"], per_epoch) if c.after == "replay" else start.moment


def _summary(
    rows: list[dict[str, Any]],
    start: TrainState,
    copies: Mapping[int, TrainState],
    c: ComparedConfig,
    data: Dataset,
    ctx: Context,
) -> dict[str, Any]:
    """What an instability run says, of the copies that did not diverge; initial weights may be drawn anew."""
    initial = start if c.weights == "redrawn" else c.untrained(data, ctx.device)
    mean = {part: _mean(row["instability"] for row in rows if row["part"] == part) for part in PARTS}
    return {
        "diverged": None,
        "diverged_copies": [seed for seed in c.order_seeds if seed not in copies],
        "train_instability": mean["train"],
        "test_instability": mean["test"],
        "stable": None if mean["train"] is None else mean["train"] < STABLE_BELOW,
        "l2_from_initialisation": l2_distance(start.model, initial, start, mask=start.mask),
        "l2_to_the_end": [l2_distance(start.model, start, copy, mask=start.mask) for copy in copies.values()],
    }


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return fmean(listed) if listed else None
