"""Training states as plain tensors and JSON: what goes to disk, and back to the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from secateurs.core import Moment, TrainState
from secateurs.how import Mask


def pack(state: TrainState) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split a state into named tensors (weights, buffers, optimiser, mask) and JSON.

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


def unpack(tensors: Mapping[str, Tensor], meta: Mapping[str, Any], blank: TrainState) -> TrainState:
    """Fill ``blank`` (same architecture and optimiser; consumed) with what :func:`pack` gave."""
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "mask": {}}
    for path, tensor in tensors.items():
        part, name = path.split("/", 1)
        parts[part][name] = tensor
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
        diverged=None if meta["diverged"] is None else Moment(meta["diverged"], per_epoch),
        scaler=meta["scaler"],
    )


def _lay_out_as_parameters(optimizer: Optimizer) -> None:
    """Give loaded moments their parameter's memory layout (files have none): as fast as before, and the same bits."""
    for parameter, entries in optimizer.state.items():
        for key, value in entries.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                entries[key] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
