"""From scores to what is left of the network: single weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from secateurs.core import PruningError, Scores, did_you_mean, prunable
from secateurs.how import Mask, exponential, keep_top

Scored = Callable[[Mask | None], Scores]
"""The scores of the network under a mask; None: of the dense one."""


class How(Protocol):
    """From scores to a mask."""

    def names(self, model: nn.Module) -> list[str]:
        """The parameters that it may prune.

        Raises:
            PruningError: when there are none, or it does not fit the model.
        """
        ...

    def find(self, scored: Scored) -> Mask:
        """The mask, from as many scorings as it needs; each costs what the score costs."""
        ...


@dataclass(frozen=True)
class Unstructured:
    """Single weights, by a mask: the share ``density`` of the prunable ones is left, and the others stay at zero.

    Args:
        density: share of prunable weights that are kept, in (0, 1].
        scope: where scores compete, as in :func:`~secateurs.how.keep_top`.
        steps: 1 prunes at once. More score what is left anew, with densities ``density^(k/steps)``
            (P2's iterative SNIP; SynFlow needs 100 to keep its layers alive). All at one moment.
        exclude: names of parameters or modules that stay dense.

    Raises:
        PruningError: when the density, scope or number of steps is out of its range.

    >>> Unstructured(0.5).find(lambda mask: {"weight": torch.tensor([3.0, 1.0, 2.0, 4.0])})["weight"].tolist()
    [True, False, False, True]
    """

    density: float = 0.1
    scope: str | Mapping[str, float] = field(default="global", hash=False)
    steps: int = 1
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        exponential(self.density, self.steps)  # raises where it says nothing
        if isinstance(self.scope, str):
            keep_top({"weight": torch.zeros(1)}, self.density, scope=self.scope)

    def names(self, model: nn.Module) -> list[str]:
        """The weights of Linear and Conv layers that are neither frozen nor excluded.

        Raises:
            PruningError: when there are none, or ``scope`` gives a density to others.
        """
        names = list(prunable(model, self.exclude))
        if not isinstance(self.scope, str):
            for name in {*names} ^ {*self.scope}:
                where = "the model's prunable weights" if name in names else "scope"
                raise PruningError(f"how.scope: {name!r} is only in {where}{did_you_mean(name, names)}")
        return names

    def find(self, scored: Scored) -> Mask:
        """The mask of the ``density`` best weights; several steps score what is left of the one before."""
        mask: Mask | None = None
        for density in exponential(self.density, self.steps) if self.steps > 1 else (self.density,):
            mask = keep_top(scored(mask), density, scope=self.scope, within=mask)
        return mask if mask is not None else Mask({})  # there is at least one step
