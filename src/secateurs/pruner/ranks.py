"""Data parallel training: all ranks decide the same, and hold the same mask."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from secateurs.core import Keep, PruningError
from secateurs.how import Mask
from secateurs.pruner.wrappers import device_of

_ERROR = ".standard_error"


class Ranks:
    """The processes that train one network together; alone, everything stays as it is and nobody is asked.

    Args:
        wrapped: the model and what it wraps; DistributedDataParallel among them says who the others are.
    """

    def __init__(self, wrapped: list[nn.Module]) -> None:
        parallel = [each for each in wrapped if isinstance(each, DistributedDataParallel)]
        self._group: Any = parallel[0].process_group if parallel else None
        self._model = wrapped[-1]
        self.size: int = dist.get_world_size(self._group) if parallel else 1
        self.rank: int = dist.get_rank(self._group) if parallel else 0

    def mean_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Mean over the ranks of every value of a row; seconds stay one's own, standard errors become the mean's.

        Raises:
            PruningError: when the ranks measured different things.
        """
        shared = {name: value for name, value in row.items() if not name.startswith("seconds/")}
        if self.size == 1 or not shared:
            return dict(row)
        lengths = {name: len(value) if isinstance(value, list) else 1 for name, value in shared.items()}
        self._check_alike(repr(lengths))
        flat = [x for value in shared.values() for x in (value if isinstance(value, list) else [value])]
        errors = torch.tensor([name.endswith(_ERROR) for name, length in lengths.items() for _ in range(length)])
        values = torch.tensor(flat, dtype=torch.float64)
        total = self._sum(torch.where(errors, values.square(), values))
        means = torch.where(errors, total.sqrt() / self.size, total / self.size).split([*lengths.values()])
        named = zip(shared.items(), means, strict=True)
        return {**row, **{n: mean.tolist() if isinstance(old, list) else mean.item() for (n, old), mean in named}}

    def mean_scores(self, scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Mean over the ranks of the scores, each of which saw its own examples."""
        if self.size == 1:
            return dict(scores)
        return {name: self._sum(score.clone()) / self.size for name, score in scores.items()}

    def agree(self, yes: bool) -> bool:
        """Whether rank 0 says yes."""
        return yes if self.size == 1 else bool(self._from_first(torch.tensor([yes], dtype=torch.uint8)).item())

    def all_agree(self, yes: bool) -> bool:
        """Whether all ranks say yes."""
        return yes if self.size == 1 else int(self._sum(torch.tensor([int(yes)]))) == self.size

    def share(self, mask: Mask) -> Mask:
        """Rank 0's mask."""
        if self.size == 1:
            return mask
        return Mask(self._flags_of_first(mask))

    def share_keep(self, keep: Keep) -> Keep:
        """Rank 0's choice of channels."""
        return keep if self.size == 1 else Keep(keep.groups, self._flags_of_first(keep))

    def warn_of_another(self, rank: int) -> None:
        """Warn when the examples that are taken up are those of another rank."""
        if self.size > 1 and rank != self.rank:
            warnings.warn(
                f"EarlyPruner: rank {self.rank} goes on from the state of rank {rank}, and measures on its examples: a "
                "run that is to go on to the same bits stores and loads each rank's own state_dict()",
                stacklevel=3,
            )

    def _flags_of_first(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        flags = self._from_first(torch.cat([kept.flatten() for kept in own.values()]).to(torch.uint8)).bool()
        parts = flags.split([kept.numel() for kept in own.values()])
        return {name: part.view(kept.shape) for (name, kept), part in zip(own.items(), parts, strict=True)}

    def _check_alike(self, told: str) -> None:
        number = zlib.crc32(told.encode())
        ends = torch.tensor([number, -number], device=device_of(self._model))
        dist.all_reduce(ends, op=dist.ReduceOp.MAX, group=self._group)
        if ends[0] != -ends[1]:
            raise PruningError(
                f"the ranks measured different things, this one {told}: build the pruner with the same arguments, and "
                "call step() and epoch_end() equally often, on every rank"
            )

    def _sum(self, tensor: Tensor) -> Tensor:
        here = tensor.to(device_of(self._model))
        dist.all_reduce(here, group=self._group)
        return here.to(tensor.device)

    def _from_first(self, tensor: Tensor) -> Tensor:
        here = tensor.to(device_of(self._model))
        dist.broadcast(here, src=0 if self._group is None else dist.get_global_rank(self._group, 0), group=self._group)
        return here.to(tensor.device)
