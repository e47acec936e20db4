"""What a way to choose a temperature chose, at one load and for one seed, and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from secateurs.report.regimes.candidates import Column, UnknownError

DIVERGED, WAITING = "diverged", "waiting"
"""Why nothing was chosen: what it takes diverged; or is not there, and may be yet."""


@dataclass(frozen=True)
class Choice:
    """What one way chose at one load, for one seed.

    Attributes:
        temperature: of the dense network that was chosen; None where nothing could be.
        error: what the choice comes to: the test error of its network after the whole retraining, mean of its copies.
        lmc: of the first two copies of the chosen network, when the way looks at them.
        poorly_connected: of the network that was looked at first; None where LMC was not asked for, or is unknown.
        looked_at: how many candidates were pruned and retrained to find out.
        retraining: epochs of retraining that were spent, the chosen network's whole retraining among them.
        dense: epochs of dense training; None where it is not known.
        passes: forward passes over the training data for LMC.
        undecided: why there is no ``temperature``, or no ``error``; empty where there are both.
    """

    way: str
    load: float
    seed: int
    temperature: float | None = None
    error: float | None = None
    lmc: float | None = None
    poorly_connected: bool | None = None
    looked_at: int = 0
    retraining: float | None = None
    dense: float | None = None
    passes: float = 0.0
    undecided: str = ""


@dataclass(frozen=True)
class Way:
    """A way to choose: its name, what it does in words, and whether it looks at test data."""

    name: str
    meaning: str
    choose: Callable[[Column], Choice]
    on_test: bool = False

    def __call__(self, column: Column) -> Choice:
        """The choice, or why there is none."""
        nothing = Choice(self.name, column.load, column.seed)
        try:
            found = self.choose(column)
        except UnknownError:
            return replace(nothing, undecided=WAITING)
        if found.temperature is None:
            return replace(nothing, undecided=DIVERGED)
        cell = column.at(found.temperature)
        error = cell.error("test")
        waits = "" if error is not None else DIVERGED if cell.diverged else WAITING
        return replace(found, way=self.name, error=error, undecided=waits)
