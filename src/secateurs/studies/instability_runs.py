"""The instability run: copies of a dense run's state at a moment, trained with other orders of the data, compared."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from pydantic import Field

from secateurs.core import Moment, TrainState
from secateurs.how import cut_in_place
from secateurs.jobs import Context, Entry, job
from secateurs.measure import l2_distance
from secateurs.procedures import Instability, compare_copies, copy_of, prune
from secateurs.studies.copies import packed, restored
from secateurs.studies.runs import RunConfig, dense_state, load_data, located
from secateurs.studies.schema import PrunePart
from secateurs.train import train
from secateurs.zoo import Dataset


class InstabilityConfig(RunConfig):
    """Everything that an instability run follows from, beside the dense run that it starts from.

    Attributes:
        at: the moment k of the state that is analysed.
        order_seeds: one for each copy. The dense run's own, ``seeds.order``, makes a copy that is the
            dense run itself; where that has its state, it is not trained again.
        until: where the copies are compared; the run's end by default.
        after: P2's two ways: what is left of the run, or all of it again.
        prune: prunes the state first, where the instability of the subnetwork is asked for.
        points: on the way between two copies, ends included.
    """

    at: str
    order_seeds: tuple[int, ...] = Field(min_length=2)
    until: str | None = None
    after: Literal["continue", "replay"] = "continue"
    prune: PrunePart | None = None
    points: int = Field(30, ge=2)


@job("instability_run", version=1)
def instability_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Algorithm 3 of P2 for the dense run's state at a moment; pauses after every epoch of every copy.

    Metrics: one row for each pair of copies and part of the data, with the errors on the way between
    them and their distances. The summary has the mean instabilities, and the distances of P2 section 4.3.
    Where the dense run diverged before the moment, nothing is trained, and the summary says only that.
    """
    c = InstabilityConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    start = _at(c.at, c, data, inputs["dense"], ctx)
    if start.diverged is not None:
        return {"diverged": str(start.diverged)}
    if c.prune is not None:
        start = prune(start, data, c.prune, c.train, pruning_seed=c.seeds.pruning, model=c.model)
    end = Moment.parse(c.until or c.train.epochs, start.moment.steps_per_epoch)
    copies = restored(c, data, ctx) or [copy_of(start, c.train, c.after) for _ in c.order_seeds]
    as_it_went = c.after == "continue" and c.prune is None
    for place, seed in enumerate(c.order_seeds):
        if as_it_went and seed == c.seeds.order:
            copies[place] = _at(str(end), c, data, inputs["dense"], ctx)
        while copies[place].moment < end and copies[place].diverged is None:
            epoch_end = Moment.parse(copies[place].moment.epoch + 1, end.steps_per_epoch)
            copies[place] = train(copies[place], data, c.train, until=min(epoch_end, end), order_seed=seed)
            ctx.progress(epoch=sum(each.moment.epoch for each in copies), epochs=len(copies) * end.epoch)
            ctx.pause_point(partial(packed, copies))
    found = compare_copies(copies, c.order_seeds, data, start=start.moment, end=end, points=c.points)
    for row in rows_of(found, c.at):
        ctx.log(row)
    untrained = c.untrained(data, ctx.device)
    if start.channels is not None:
        cut_in_place(untrained.model, start.channels)
    ended = [copy for copy, seed in zip(copies, c.order_seeds, strict=True) if seed not in found.diverged]
    return {
        "diverged": None,
        "diverged_copies": list(found.diverged),
        "train_instability": found.mean("train"),
        "test_instability": found.mean("test"),
        "stable": found.stable,
        "l2_from_initialisation": l2_distance(start.model, untrained, start, mask=start.mask),
        "l2_to_the_end": [l2_distance(start.model, start, copy) for copy in ended],
    }


def rows_of(found: Instability, at: str) -> list[dict[str, Any]]:
    """A row of JSON for each pair of copies and each part of the data.

    >>> from secateurs.measure import Barrier, Distances
    >>> from secateurs.procedures import Pair
    >>> way = Barrier((0.0, 1.0), (0.25, 0.25), (1.5, 1.5))
    >>> pair = Pair((1, 2), {"train": way}, {"train": Distances(2.0, 0.5, 3, 0.25, 10)})
    >>> (row,) = rows_of(Instability(Moment(0, 5), Moment(10, 5), (pair,)), "0ep")
    >>> row["moment"], row["until"], row["seeds"], row["part"], row["instability"], row["errors"], row["differing"]
    ('0ep', '2ep', [1, 2], 'train', 0.0, [0.25, 0.25], 3)
    """
    return [
        {
            "moment": at,
            "until": str(found.end),
            "seeds": list(pair.seeds),
            "part": part,
            "instability": barrier.instability,
            "loss_increase": barrier.loss_increase,
            "alphas": list(barrier.alphas),
            "errors": list(barrier.errors),
            "losses": list(barrier.losses),
            "l2": pair.distances[part].l2,
            "cosine": pair.distances[part].cosine,
            "differing": pair.distances[part].differing,
            "loss_l2": pair.distances[part].loss_l2,
            "examples": pair.distances[part].examples,
        }
        for pair in found.pairs
        for part, barrier in pair.barriers.items()
    ]


def _at(moment: str, c: InstabilityConfig, data: Dataset, dense: Entry, ctx: Context) -> TrainState:
    """The dense run's state at a moment."""
    blank = c.untrained(data, ctx.device)
    return dense_state(dense, Moment.parse(moment, blank.moment.steps_per_epoch), blank, data, c)
