"""Training states as plain tensors and JSON: what goes to disk, and back to the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from secateurs.core import Keep, Moment, TrainingError, TrainState
from secateurs.how import Mask, channel_groups, cut_in_place


def pack(state: TrainState) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split a state into named tensors (weights, buffers, optimiser, mask or channels) and JSON.

    The tensors are the state's own, not copies: write them before training goes on.
    """
    tensors = {f"model/{name}": value for name, value in state.model.state_dict().items()}
    optimizer = state.optimizer.state_dict()
    numbers: dict[str, dict[str, Any]] = {}
    for index, entries in optimizer["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{key}"] = value
            else:
                numbers.setdefault(str(index), {})[key] = value
    if state.mask is not None:
        tensors.update({f"mask/{name}": kept for name, kept in Mask(state.mask).to_tensors().items()})
    if state.channels is not None:
        tensors.update({f"channels/{name}": kept for name, kept in state.channels.items()})
    meta = {
        "moment": state.moment.steps,
        "steps_per_epoch": state.moment.steps_per_epoch,
        "schedule_start": state.schedule_start.steps,
        "max_lr": state.max_lr,
        "diverged": state.diverged.steps if state.diverged else None,
        "scaler": None if state.scaler is None else dict(state.scaler),
        "optimizer": {"numbers": numbers, "param_groups": optimizer["param_groups"]},
    }
    return tensors, meta


def unpack(
    tensors: Mapping[str, Tensor], meta: Mapping[str, Any], blank: TrainState, example: Any = None
) -> TrainState:
    """Fill ``blank`` (same architecture and optimiser; consumed) with what :func:`pack` gave.

    Args:
        blank: dense; where the state has channels, it is cut as the state is.
        example: what the network is called with, [1, ...], e.g. ``data.example``: with it the groups of
            channels are traced. Only looked at where the state has channels.

    Raises:
        TrainingError: when the state has channels and there is no example, or ``blank`` is cut already.
        PruningError: when the channels are those of another network.
    """
    blank.check()
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "mask": {}, "channels": {}}
    for path, tensor in tensors.items():
        part, name = path.split("/", 1)
        parts[part][name] = tensor
    channels = _cut_alike(blank, parts["channels"], example) if parts["channels"] else None
    blank.model.load_state_dict(parts["model"])
    entries: dict[int, dict[str, Any]] = {}
    for path, tensor in parts["optimizer"].items():
        index, key = path.split("/", 1)
        entries.setdefault(int(index), {})[key] = tensor.clone()
    for index, numbers in meta["optimizer"]["numbers"].items():
        entries.setdefault(int(index), {}).update(numbers)
    # JSON has no tuples; Adam's betas are one.
    groups = [
        {key: tuple(value) if isinstance(value, list) and key != "params" else value for key, value in group.items()}
        for group in meta["optimizer"]["param_groups"]
    ]
    blank.optimizer.load_state_dict({"state": entries, "param_groups": groups})
    _lay_out_as_parameters(blank.optimizer)
    per_epoch = meta["steps_per_epoch"]
    return blank.take(
        moment=Moment(meta["moment"], per_epoch),
        schedule_start=Moment(meta["schedule_start"], per_epoch),
        max_lr=meta["max_lr"],
        mask=Mask.from_tensors(parts["mask"]) if parts["mask"] else None,
        channels=channels,
        diverged=None if meta["diverged"] is None else Moment(meta["diverged"], per_epoch),
        scaler=meta["scaler"],
    )


def _cut_alike(blank: TrainState, kept: Mapping[str, Tensor], example: Any) -> Keep:
    """Cut the blank network to the channels that a state has left."""
    if example is None:
        raise TrainingError(
            "unpack: the state's network is cut, and its channels are found by an example: pass example=, what the "
            "network is called with, such as data.example"
        )
    if blank.channels is not None:
        raise TrainingError("unpack: the blank network is cut already: begin() a dense one")
    keep = Keep(channel_groups(blank.model, example), kept)
    cut_in_place(blank.model, keep, blank.optimizer)
    return keep


def _lay_out_as_parameters(optimizer: Optimizer) -> None:
    """Give loaded moments their parameter's memory layout (files have none): as fast as before, and the same bits."""
    for parameter, entries in optimizer.state.items():
        for key, value in entries.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                entries[key] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
