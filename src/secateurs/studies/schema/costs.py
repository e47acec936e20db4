"""What a recipe says about measuring the networks that come out of its runs."""

from __future__ import annotations

from pydantic import Field, field_validator

from secateurs.measure.costs import Clock
from secateurs.train import Settings


class CostsRecipe(Settings):
    """What is measured of the network at each run's end, in a job of its own; nothing unless said.

    What can be counted (weights, bytes, multiply-adds) is counted of every network, whatever stands here.

    Attributes:
        repeats: timed forward and backward passes, turn by turn with the dense network's; 0: none.
        memory: whether the peak memory of a training step is measured.
        clock: what times the passes: "wall", or "cpu", this process's own processor time; None: "cpu" for a network
            on the CPU, which other workers disturb less, and "wall" for all others.
    """

    repeats: int = Field(0, ge=0)
    memory: bool = False
    clock: Clock | None = None

    @property
    def measured(self) -> bool:
        """Whether anything is."""
        return bool(self.repeats) or self.memory

    @field_validator("repeats")
    @classmethod
    def _two_for_a_median(cls, repeats: int) -> int:
        if repeats == 1:
            raise ValueError("expected 0, or at least 2: one pass has no spread")
        return repeats
