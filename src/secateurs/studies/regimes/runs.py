"""The job of a pruned network that is retrained on its own schedule, looked at on its way and at its end (P4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from secateurs.core import Moment, TrainState
from secateurs.how import Mask
from secateurs.jobs import Context, Entry, job
from secateurs.measure import evaluate
from secateurs.procedures import judged, retrained
from secateurs.studies.counted import counted
from secateurs.studies.ended import end_of, placed
from secateurs.studies.runs import RunConfig, facts_of, final_numbers, load_data, located, one_epoch
from secateurs.studies.tickets.runs import diverged_before
from secateurs.train import pack, unpack
from secateurs.zoo import Dataset

_KEPT = ("model", "mask")
_PARTS = ("train", "validation", "test")


class RegimeConfig(RunConfig):
    """What retraining follows from, beside the dense network and the mask; ``train`` are the settings of retraining.

    Attributes:
        last_epochs: validation and test error are looked at after each of so many last epochs.
        probe: the network is kept and looked at after so long, too.
        until: the run ends there; None: when all epochs of ``train`` are over.

    Only a config that says so has the last two.
    """

    only_where_said: ClassVar[frozenset[str]] = RunConfig.only_where_said | {"probe", "until"}

    last_epochs: int = Field(gt=0)
    probe: str | None = None
    until: str | None = None


@dataclass
class _Seen:
    """What was looked at so far: errors after the last epochs, and those at the probe."""

    last: list[dict[str, float]] = field(default_factory=list)
    probe: dict[str, float] | None = None


@job("regime_run", version=1)
def regime_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Retrain the network of ``start`` under ``mask``, from step 0 of a schedule of its own.

    Metrics: one row for each epoch, and after each of the last epochs one with ``validation_error`` and
    ``test_error``. Tensors: ``final`` and ``probe``, network and mask; a run that ends ``until`` its probe has no
    ``final``. The summary is that of a pruned run, with
    ``train_error`` at the end, the means of the other two over the last epochs, and all three at the probe; a copy
    that diverged has no errors. Where the dense run diverged, nothing is trained, and it says only that.
    """
    c = RegimeConfig.model_validate(located(config, ctx.where))
    if gone := diverged_before(inputs.values()):
        return gone
    data = load_data(c.data, str(ctx.device))
    blank, seen = c.untrained(data, ctx.device), _Seen()
    if ctx.restored is None:
        mask = Mask.from_tensors(inputs["mask"].tensors("mask"))
        state = retrained(placed(end_of(inputs["start"]), blank, data), mask, c.train, data)
    else:
        tensors, meta = ctx.restored
        state, seen = unpack(tensors, meta["state"], blank, data.example), _Seen(**meta["seen"])
    per_epoch = state.moment.steps_per_epoch
    end = Moment.parse(c.until or c.train.epochs, per_epoch)
    probe = None if c.probe is None else Moment.parse(c.probe, per_epoch)
    while state.moment < end and state.diverged is None:
        ahead = end if probe is None or probe <= state.moment else min(probe, end)
        state = one_epoch(state, data, c, ctx, until=ahead)
        if state.moment == probe and seen.probe is None:
            state = judged(state)
            seen.probe = _probed(state, data, ctx)
        if state.diverged is None and _is_among_the_last(state.moment, end, c.last_epochs):
            seen.last.append(_looked(state, data, ctx, seen.probe if state.moment == probe else None))
        ctx.pause_point(partial(_paused, state, seen))
    if c.until is None or seen.probe is None:
        ctx.save(_kept(state), name="final")
    return _summary(state, seen, data) | facts_of(state, data, c.model) | {"costs": counted(state, data, c.model)}


def _probed(state: TrainState, data: Dataset, ctx: Context) -> dict[str, float] | None:
    """Keep the network of the probe, and say its errors; None where there is none."""
    if state.diverged is not None:
        return None
    ctx.save(_kept(state), name="probe")
    return {f"{part}_error": _error(state, data, part) for part in _PARTS}


def _looked(state: TrainState, data: Dataset, ctx: Context, known: Mapping[str, float] | None) -> dict[str, float]:
    """The errors after one of the last epochs, which are logged; those that the probe has found are ``known``."""
    errors = {
        name: _error(state, data, part) if known is None else known[name]
        for part, name in (("validation", "validation_error"), ("test", "test_error"))
    }
    ctx.log({"epoch": state.moment.epochs, "moment": str(state.moment), **errors})
    return errors


def _is_among_the_last(moment: Moment, end: Moment, epochs: int) -> bool:
    """Whether an epoch, or the run, ends at a moment within the last epochs of a run."""
    whole = moment.step == 0 or moment == end
    return whole and moment.steps > end.steps - epochs * end.steps_per_epoch


def _summary(state: TrainState, seen: _Seen, data: Dataset) -> dict[str, Any]:
    found = final_numbers(state, data)
    probe = {} if seen.probe is None else {"probe": seen.probe}
    if found["diverged"] is not None:
        return found | probe
    means = {name: fmean(errors[name] for errors in seen.last) for name in seen.last[0]}
    return found | {"train_error": 1 - found["train_accuracy"], **means} | probe


def _paused(state: TrainState, seen: _Seen) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, meta = pack(state)
    return tensors, {"state": meta, "seen": {"last": seen.last, "probe": seen.probe}}


def _kept(state: TrainState) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in pack(state)[0].items() if name.split("/")[0] in _KEPT}


def _error(state: TrainState, data: Dataset, part: str) -> float:
    return 1 - evaluate(state.model, data.task, getattr(data, part))["accuracy"]
