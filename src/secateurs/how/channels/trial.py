"""The check of the groups: a copy of the model is cut to the bone and followed once more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from secateurs.core import Group, Keep, PruningError
from secateurs.how.channels.branches import FAILURES
from secateurs.how.channels.cutting import cut_for_trial
from secateurs.how.channels.following import follow, tracer_of
from secateurs.how.channels.labels import FIXED
from secateurs.how.channels.surgery import surgery
from secateurs.how.channels.trace import Trace
from secateurs.how.channels.tracing import Tracer

REMEDY = (
    "sizes in forward() must follow from the tensors (x.flatten(1), x.shape[1]), or the module be left whole with "
    "exclude=[...]"
)


def check_by_trial(
    model: nn.Module, example: Any, exclude: Sequence[str], groups: Sequence[Group], trace: Trace, heads: bool = True
) -> None:
    """Cut a copy of ``model`` to two channels a layer: it must run, and wire what is left as before.

    Only widths of one and two are tried: a forward that asks for another (is it odd?) is not found out.

    Raises:
        PruningError: naming the module where it fails, or the tensor that meets other channels than it did.
    """
    keep = Keep(groups, {group.name: _bone(group, 2) for group in groups})
    tracer = _followed(model, keep, example, exclude, trace, heads)
    if any(group.units == 2 for group in groups):  # of which nothing went
        keep_one = Keep(groups, {group.name: _bone(group, 1) for group in groups if group.units == 2})
        _followed(model, keep_one, example, exclude, trace, heads)
    roots, again = trace.nodes.roots(), tracer.trace.nodes.roots()
    places = surgery(model, keep).places
    made = [roots[cut.labels.numpy()] for cut in trace.cuts.values() if cut.role == "output"]
    units = np.setdiff1d(np.concatenate(made), [FIXED])
    meant = np.full(trace.nodes.count, -1, dtype=np.int64)  # root before -> root after
    for (name, dim), cut in trace.cuts.items():
        before = roots[cut.labels.numpy()]
        if dim in places.get(name, {}):
            before = before[places[name][dim].numpy()]
        found = tracer.trace.cuts.get((name, dim))
        after = None if found is None else again[found.labels.numpy()]
        if after is None or len(after) != len(before):
            raise PruningError(f"channel_groups: with channels removed, {name!r} is not used as before: {REMEDY}")
        free = np.isin(before, units)
        before, after = before[free], after[free]
        new = meant[before] < 0
        meant[before[new]] = after[new]
        if (meant[before] != after).any():
            raise PruningError(f"channel_groups: with channels removed, {name!r} meets others than before: {REMEDY}")
    if len(np.unique(meant[meant >= 0])) != (meant >= 0).sum():
        raise PruningError(f"channel_groups: with channels removed, some that were apart are one: {REMEDY}")


def _followed(model: nn.Module, keep: Keep, example: Any, exclude: Sequence[str], trace: Trace, heads: bool) -> Tracer:
    tracer = tracer_of(cut_for_trial(model, keep), exclude, heads)
    try:
        follow(tracer, example, trace.ways)
    except FAILURES as error:
        raise PruningError(
            f"channel_groups: with channels removed, {tracer.told()} no longer works ({error}): {REMEDY}"
        ) from error
    _same_scalars(tracer.trace, trace, model)
    return tracer


def _same_scalars(cut: Trace, dense: Trace, model: nn.Module) -> None:
    """A number that follows from a width (1 / x.shape[1]) changes what is left of the function."""
    modules = dict(model.named_modules())
    for (where, name, before), (_, again, after) in zip_longest(dense.scalars, cut.scalars, fillvalue=("", "", ())):
        if repr((name, before)) != repr((again, after)):  # nan is nan
            told = f"{where!r} ({type(modules[where]).__name__})" if where else "the model's forward"
            remedy = (
                f"Leave it whole with exclude=[{where!r}]"
                if where
                else "Put it into a module of its own, and exclude that"
            )
            now, meant = (", ".join(f"{number:g}" for number in numbers) for numbers in (after, before))
            raise PruningError(
                f"channel_groups: with channels removed, {told} calculates otherwise ({name} with {now} instead of "
                f"{meant}): a number that follows from a width changes what is left. {remedy}"
            )


def _bone(group: Group, width: int) -> Tensor:
    """The last ``width`` units of each layer of a group."""
    kept = torch.zeros(group.units, dtype=torch.bool)
    for member in group.members:
        if member.role == "output":
            units = [unit for unit, positions in enumerate(member.index) if positions]
            kept[units[-width:]] = True
    return kept
