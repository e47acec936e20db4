"""What the pruned network may cost, in place of how many weights it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf

from secateurs.core import PruningError
from secateurs.pruner.costs import Cost, Costs


@dataclass(frozen=True)
class Size:
    """The network's file: all parameters, the pruned layers in compressed sparse rows, takes at most ``mebibytes``.

    A layer of shape [rows, ...] takes kept * (bytes of a weight + 4) + (rows + 1) * 4 bytes: values as
    they are stored, 32-bit column indices and row pointers. What is not pruned is
    stored dense; buffers are not counted. Above a density of a half (float32) sparse rows take more than the dense
    layer. 1 MiB is 2^20 bytes.

    Raises:
        PruningError: when it is no positive number.

    >>> Size(mebibytes=0.5).allowed(0)
    Fraction(524288, 1)
    """

    mebibytes: float
    reads_examples = False

    def __post_init__(self) -> None:
        if not 0 < self.mebibytes < inf:
            raise PruningError(f"target: Size: expected a positive number of mebibytes, got {self.mebibytes!r}")

    def cost(self, costs: Costs) -> Cost:
        """Bytes."""
        return costs.bytes

    def allowed(self, dense: int) -> Fraction:  # noqa: ARG002
        """In bytes."""
        return Fraction(repr(float(self.mebibytes))) * 2**20

    def told(self, value: float, dense: int) -> str:  # noqa: ARG002
        """In mebibytes."""
        return f"{value / 2**20:.6g} MiB"

    def check(self, costs: Costs) -> None:
        """Whether some mask reaches it.

        Raises:
            PruningError: when the dense network is no larger, or one pruned to the last weight is.
        """
        cost, allowed = costs.bytes, self.allowed(0)
        if allowed >= cost.dense:
            raise PruningError(
                f"target: the dense network takes {self.told(cost.dense, 0)}, which {self} allows: there is nothing to "
                "prune"
            )
        smallest = cost.fixed + min(cost.each.values())
        if smallest > allowed:
            raise PruningError(
                f"target: {self} cannot be reached: with one weight left the network takes "
                f"{self.told(smallest, 0)}, what is not pruned and the row pointers alone {self.told(cost.fixed, 0)}"
            )


@dataclass(frozen=True)
class Flops:
    """The kept weights' multiply-adds are at most the share ``share`` of the dense network's.

    Counted for one example over all Linear and Conv layers, as
    :func:`~secateurs.pruner.costs.multiply_adds` says; layers that are not pruned count in full. It is
    what hardware that skips zeros would have to do: on other hardware a mask saves no time.

    Raises:
        PruningError: when the share lies outside (0, 1).

    >>> Flops(share=0.2).allowed(1000)
    Fraction(200, 1)
    """

    share: float
    reads_examples = True

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise PruningError(f"target: Flops: expected a share above 0 and below 1, got {self.share!r}")

    def cost(self, costs: Costs) -> Cost:
        """Multiply-adds.

        Raises:
            PruningError: when they were not measured, or not those of all layers.
        """
        cost = costs.multiply_adds
        if cost is None:
            raise PruningError("target: Flops needs an example to measure multiply-adds on: give the pruner data=")
        if uncalled := [name for name, times in cost.each.items() if not times]:
            raise PruningError(
                f"target: Flops: a forward pass does not call the layer of {', '.join(uncalled)}: its multiply-adds "
                "are not known; leave it out with Unstructured(exclude=...)"
            )
        return cost

    def allowed(self, dense: int) -> Fraction:
        """In multiply-adds."""
        return Fraction(repr(float(self.share))) * dense

    def told(self, value: float, dense: int) -> str:
        """As a share."""
        return f"{value / dense:.4%} of the multiply-adds"

    def check(self, costs: Costs) -> None:
        """Nothing can be said before an example was seen."""


@dataclass(frozen=True)
class Latency:
    """A forward pass takes at most ``milliseconds``: to be had by removing channels, never by a mask.

    >>> Latency(milliseconds=5)
    Latency(milliseconds=5)
    """

    milliseconds: float


Target = Size | Flops
"""What a mask can reach."""
