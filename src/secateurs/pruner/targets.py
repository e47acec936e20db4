"""What the pruned network may cost, in place of how many weights it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf

from secateurs.core import PruningError
from secateurs.pruner.costs import Cost, Costs
from secateurs.pruner.saved import ChannelSavings


@dataclass(frozen=True)
class Size:
    """The network's file takes at most ``mebibytes``: all parameters, of a mask in compressed sparse rows.

    With channels removed it is what the parameters that are left take, dense. Under a mask a layer of shape
    [rows, ...] takes kept * (bytes of a weight + 4) + (rows + 1) * 4 bytes: values as they are
    stored, 32-bit column indices and row pointers; what is not pruned is stored dense, and above a
    density of a half (float32) sparse rows take more than the dense layer. Buffers are not counted. 1 MiB
    is 2^20 bytes.

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

    def of(self, savings: ChannelSavings) -> int:
        """Bytes with channels removed."""
        return savings.bytes

    def allowed(self, dense: float) -> Fraction:  # noqa: ARG002
        """In bytes."""
        return Fraction(repr(float(self.mebibytes))) * 2**20

    def told(self, value: float, dense: float) -> str:  # noqa: ARG002
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
    """The multiply-adds of what is left are at most the share ``share`` of the dense network's.

    Counted for one example over all Linear and Conv layers, as
    :func:`~secateurs.pruner.costs.multiply_adds` says; layers that are not pruned count in full. With
    channels removed, it is what is left to do. Of a mask, it is what hardware that skips zeros would
    have to do: on other hardware a mask saves no time.

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
                "are not known; leave it out with exclude=..."
            )
        return cost

    def of(self, savings: ChannelSavings) -> int:
        """Multiply-adds with channels removed.

        Raises:
            PruningError: when those of a layer that is cut are not known.
        """
        if savings.multiply_adds is None:
            raise PruningError(
                "target: Flops: a forward pass does not call all the layers that would be cut (nn.MultiheadAttention "
                "uses their weights itself): their multiply-adds are not known; leave them out with exclude=..."
            )
        return savings.multiply_adds

    def allowed(self, dense: float) -> Fraction:
        """In multiply-adds."""
        return Fraction(repr(float(self.share))) * int(dense)

    def told(self, value: float, dense: float) -> str:
        """As a share."""
        return f"{value / dense:.4%} of the multiply-adds"

    def check(self, costs: Costs) -> None:
        """Nothing can be said before an example was seen."""


@dataclass(frozen=True)
class Latency:
    """A forward pass takes at most ``milliseconds``: to be had by removing channels, never by a mask.

    Measured, on the device that trains: the median of several passes in evaluation mode, in the model's own
    precision and uncompiled, over a batch as large as the loop's, of trial cuts on copies. Such medians differ by some
    percent from run to run, so two runs with one seed may keep different numbers of channels; where
    bits matter, give a density. On several ranks the first one's clock decides.

    Raises:
        PruningError: when it is no positive number.

    >>> Latency(milliseconds=5).told(7.125, 10)
    '7.12 ms'
    """

    milliseconds: float
    reads_examples = True

    def __post_init__(self) -> None:
        if not 0 < self.milliseconds < inf:
            raise PruningError(
                f"target: Latency: expected a positive number of milliseconds, got {self.milliseconds!r}"
            )

    def allowed(self, dense: float) -> Fraction:  # noqa: ARG002
        """In milliseconds."""
        return Fraction(repr(float(self.milliseconds)))

    def told(self, value: float, dense: float) -> str:  # noqa: ARG002
        """In milliseconds."""
        return f"{value:.3g} ms"


Target = Size | Flops
"""What a mask can reach."""
