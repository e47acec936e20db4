"""From scores to what is left of the network: single weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from secateurs.core import PruningError, Scores, did_you_mean, prunable
from secateurs.how import Mask, exponential, keep_in_steps, keep_top
from secateurs.pruner.costs import Costs, costs_of
from secateurs.pruner.largest import largest
from secateurs.pruner.targets import Latency, Target

Scored = Callable[[Mask | None], Scores]
"""The scores of the network under a mask; None: of the dense one."""

_A_TENTH = 0.1


class How(Protocol):
    """From scores to a mask."""

    @property
    def reads_examples(self) -> bool:
        """Whether it needs costs that are measured with an example."""
        ...

    def names(self, model: nn.Module) -> list[str]:
        """The parameters that it may prune.

        Raises:
            PruningError: when there are none, or it does not fit the model.
        """
        ...

    def check(self, model: nn.Module) -> None:
        """Refuse before training what can be seen to fail at the end of it.

        Raises:
            PruningError: when the model cannot be pruned so.
        """
        ...

    def find(self, scored: Scored, costs: Costs) -> Mask:
        """The mask, from as many scorings as it needs; each costs what the score costs."""
        ...


@dataclass(frozen=True)
class Unstructured:
    """Single weights, by a mask: a share of the prunable ones is left, and the others stay at zero.

    Args:
        density: share of prunable weights that is kept, in (0, 1]; 0.1, unless there is a target.
        target: what the network may cost, in place of the density: ``Size(mebibytes=...)`` or
            ``Flops(share=...)``. The mask is the largest that meets it, given the scores.
        scope: where scores compete, as in :func:`~secateurs.how.keep_top`.
        steps: 1 prunes at once. More score what is left anew, with densities ``density^(k/steps)``
            (P2's iterative SNIP; SynFlow needs 100 to keep its layers alive). All at one moment. With a
            target, the density is what the first scores give for it, and the last step meets it exactly.
        exclude: names of parameters or modules that stay dense.

    Raises:
        PruningError: when the density, scope or number of steps is out of its range, or the target is none of a mask.

    >>> from secateurs.pruner.costs import Cost
    >>> none = Costs(Cost(0, 0, {}), None)
    >>> Unstructured(0.5).find(lambda mask: {"weight": torch.tensor([3.0, 1.0, 2.0, 4.0])}, none)["weight"].tolist()
    [True, False, False, True]
    """

    density: float | None = None
    scope: str | Mapping[str, float] = field(default="global", hash=False)
    steps: int = 1
    exclude: tuple[str, ...] = ()
    target: Target | None = None

    def __post_init__(self) -> None:
        if isinstance(self.target, Latency):
            raise PruningError(
                "how: a mask alone saves no time, so no density reaches a latency: dense kernels multiply the zeros as "
                "well; removing channels is what saves time; for a mask give Size(mebibytes=...) or Flops(share=...)"
            )
        if self.target is not None and not isinstance(self.target, Target):
            raise PruningError(
                f"how.target: expected Size(mebibytes=...) or Flops(share=...), got {type(self.target).__name__}"
            )
        if self.target is not None and self.density is not None:
            raise PruningError(f"how: give a density or a target, not both: got {self.density!r} and {self.target}")
        if self.target is not None and not isinstance(self.scope, str):
            raise PruningError("how: scope gives each layer's density, so there is none to find for a target")
        if self.target is None and self.density is None:
            object.__setattr__(self, "density", _A_TENTH)
        some = _A_TENTH if self.density is None else self.density
        exponential(some, self.steps)  # raises where it says nothing
        if isinstance(self.scope, str):
            keep_top({"weight": torch.zeros(1)}, some, scope=self.scope)

    @property
    def reads_examples(self) -> bool:
        """Multiply-adds are measured with one."""
        return self.target is not None and self.target.reads_examples

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

    def check(self, model: nn.Module) -> None:
        """See that there is something to prune, and that the target, as far as it is known without examples, fits.

        Raises:
            PruningError: when there is not, the target cannot be reached, or the dense network meets it.
        """
        names = self.names(model)
        if self.target is not None:
            self.target.check(costs_of(model, names))

    def find(self, scored: Scored, costs: Costs) -> Mask:
        """The mask of the best weights; several steps score what is left of the one before."""
        if self.target is None or not isinstance(self.scope, str):
            density = _A_TENTH if self.density is None else self.density
            return keep_in_steps(scored, exponential(density, self.steps), scope=self.scope)
        mask = largest(scored(None), self.target, costs, scope=self.scope)
        if self.steps == 1:
            return mask
        before = keep_in_steps(scored, exponential(mask.density, self.steps)[:-1], scope=self.scope)
        return largest(scored(before), self.target, costs, scope=self.scope, within=before)
