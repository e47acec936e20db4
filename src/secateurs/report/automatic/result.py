"""What one run that prunes itself came to, as plain rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from secateurs.report.rows import number


@dataclass(frozen=True)
class Layer:
    """One layer's prunable weights, and how many are kept."""

    name: str
    weights: int
    kept: int


@dataclass(frozen=True)
class Channels:
    """One group of channels that go together, named for the first layer that makes them, and how many are kept."""

    name: str
    units: int
    kept: int


@dataclass(frozen=True)
class AutomaticResult:
    """One run that pruned itself.

    Attributes:
        title: of the recipe.
        data: what was trained and tested on.
        seed, epochs, density: of the run; ``density`` is what was asked for.
        trigger: its name; ``rule`` is the trigger written out.
        why: why it fired, or what it still waited for.
        at_bound: whether only its upper bound made it fire.
        needs: the signals that decided; none for a trigger of time.
        rows: the run's metrics, one row for each epoch's end.
        summary: accuracies and losses (``test_accuracy``, ...), ``pruned`` and ``diverged``: moments, or None.
        seconds: of the whole run.
        layers: in the network's order; none when it was not pruned.
        counted: what ``density`` is a share of where channels are removed: ``"weights"``, prunable ones, or
            ``"channels"``.
        channels: in the network's order; none when no channels were removed.
        saved: what the mask saves: ``bytes_dense``, ``bytes_csr``, ``density_of_all_parameters``,
            ``multiply_adds_dense`` and ``multiply_adds_kept`` for one example. Of removed channels there are
            ``bytes`` in place of ``bytes_csr``.
        provenance: recipe, command, versions and whatever else tells where the numbers are from.
        costs: of the network and of the run, as :mod:`secateurs.report.costs` has them: ``seconds`` of training,
            ``seconds_signals`` and ``seconds_scoring`` of these, ``training_flops``, ``emissions`` where measured, ...
        chance: the test accuracy (a fraction) of guessing; None: not known.
    """

    title: str
    data: str
    seed: int
    epochs: int
    density: float
    trigger: str
    rule: str
    why: str
    at_bound: bool
    needs: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]
    seconds: float
    layers: tuple[Layer, ...] = ()
    counted: str = "weights"
    channels: tuple[Channels, ...] = ()
    saved: Mapping[str, float] | None = None
    provenance: Mapping[str, Any] | None = None
    costs: Mapping[str, Any] = field(default_factory=dict)
    chance: float | None = None

    @property
    def pruned(self) -> str | None:
        """The moment at which it was pruned."""
        pruned: str | None = self.summary["pruned"]
        return pruned

    @property
    def diverged(self) -> str | None:
        """The moment after which the loss was no longer finite."""
        diverged: str | None = self.summary["diverged"]
        return diverged

    @property
    def decision(self) -> Sequence[Mapping[str, Any]]:
        """The rows up to the one at which it was pruned, or all."""
        moments = [row["moment"] for row in self.rows]
        return self.rows if self.pruned is None else self.rows[: moments.index(self.pruned) + 1]

    @property
    def pruned_epoch(self) -> float | None:
        """The epoch at which it was pruned."""
        return None if self.pruned is None else number(self.decision[-1], "epoch")

    def trace(self, signal: str) -> tuple[list[float], list[float]]:
        """Epochs and values of a signal up to the decision, where it has a finite value.

        The untrained network's value is left out where there are others: it can dwarf the rest.
        """
        points = [(number(row, "epoch"), number(row, signal)) for row in self.decision]
        there = [(epoch, value) for epoch, value in points if epoch is not None and value is not None]
        there = [point for point in there if point[0] > 0] or there
        return [epoch for epoch, _ in there], [value for _, value in there]

    @property
    def watching(self) -> dict[str, float]:
        """Seconds that each of the signals took which the trigger needs."""
        return {signal: sum(number(row, f"seconds/{signal}") or 0.0 for row in self.decision) for signal in self.needs}

    def to_json(self) -> dict[str, Any]:
        """All numbers, and where they are from."""
        share = sum(self.watching.values()) / self.seconds if self.seconds else 0.0
        cost = {"seconds": self.watching, "share": share}
        return {**asdict(self), "pruned": self.pruned, "diverged": self.diverged, "watching": cost}
