"""Copies of one state that are trained side by side: packed together, and restored together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from secateurs.core import TrainState
from secateurs.jobs import Context
from secateurs.studies.runs import RunConfig
from secateurs.train import pack, unpack
from secateurs.zoo import Dataset


def packed(copies: Sequence[TrainState]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Several states as one checkpoint; the tensors are the states' own."""
    packs = [pack(copy) for copy in copies]
    tensors = {f"{place}/{name}": tensor for place, (own, _) in enumerate(packs) for name, tensor in own.items()}
    return tensors, {"copies": [meta for _, meta in packs]}


def restored(c: RunConfig, data: Dataset, ctx: Context) -> list[TrainState]:
    """The copies as an earlier sitting left them; none where there was no earlier one."""
    if ctx.restored is None:
        return []
    tensors, meta = ctx.restored
    own: list[dict[str, Tensor]] = [{} for _ in meta["copies"]]
    for path, tensor in tensors.items():
        place, name = path.split("/", 1)
        own[int(place)][name] = tensor
    states = zip(own, meta["copies"], strict=True)
    return [unpack(each, known, c.untrained(data, ctx.device), data.example) for each, known in states]
