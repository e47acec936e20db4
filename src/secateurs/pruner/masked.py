"""A mask, found: it is enforced for the rest of training."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core import Keep
from secateurs.how import Enforcement, Mask, apply, enforce
from secateurs.pruner import checks
from secateurs.pruner.after import Savings, savings
from secateurs.pruner.wrappers import laid_on


@dataclass(frozen=True)
class Masked:
    """The weights that are left.

    Attributes:
        mask: by the parameters' plain names.
        times: in how many multiply-adds each weight takes part, where that was measured.
    """

    mask: Mask
    times: Mapping[str, int] | None = None

    @property
    def keep(self) -> Keep | None:
        """None: no channel is removed."""
        return None

    def pruned_copy(self, model: nn.Module) -> nn.Module:
        """A copy with the dropped weights at zero."""
        copied = copy.deepcopy(model)
        self.apply(copied)
        return copied

    def apply(self, model: nn.Module) -> None:
        """Set the dropped weights to zero, once."""
        apply(model, laid_on(model, self.mask))

    def enforce(self, model: nn.Module, optimizer: Optimizer) -> Enforcement:
        """Keep the dropped weights at zero."""
        return enforce(model, optimizer, laid_on(model, self.mask))

    def warn(self) -> None:
        """Warn of layers of which nothing is left."""
        checks.warn_of_empty(self.mask)

    def savings(self, model: nn.Module) -> Savings:
        """Weights and bytes, and no time."""
        return savings(model, self.mask, self.times)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The mask, and what a weight's multiply-adds are."""
        return self.mask.to_tensors(), {"times": self.times}

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Masked:
        """What :meth:`state` gave."""
        return cls(Mask.from_tensors(tensors), meta["times"])
