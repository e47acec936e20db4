"""What a table of costs is made of: networks that were pruned in one way, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from secateurs.report.costs.measures import MEASURES
from secateurs.report.curves import Spread


@dataclass(frozen=True)
class Costed:
    """One line: what came of pruning in one way, a run for each seed.

    Attributes:
        name: of the method or the moment.
        accuracies: of each run on test data, as fractions; None without a result.
        costs: of each run, as the store has them; empty where nothing is known.
        kind: lines of one kind are compared with each other ("structured", "unstructured"); the dense network, with
            which all are compared, has none.
        dense: whether it is the dense network.
        chosen: whether it is the line that the table is about.
        judged: whether its means may be best or second best: not where a seed diverged or is missing.
        dense_turns: batch times of the dense network, as they were in turn with others'; they count before its own.
    """

    name: str
    accuracies: Sequence[float | None]
    costs: Sequence[Mapping[str, Any]]
    kind: str = ""
    dense: bool = False
    chosen: bool = False
    judged: bool = True
    dense_turns: Sequence[Mapping[str, Any]] = ()

    @property
    def accuracy(self) -> Spread | None:
        """Test accuracy over seeds."""
        return Spread.of(self.accuracies)

    def of(self, measure: str) -> Spread | None:
        """A measure of :data:`MEASURES` over the seeds where it is known."""
        if measure == "batch" and self.dense_turns:
            return Spread.of(time["seconds"] for time in self.dense_turns)
        if measure == "batch_ratio" and self.dense:
            return Spread(1.0, None, len(self.dense_turns)) if self.dense_turns else None
        return Spread.of(MEASURES[measure].value(costs) for costs in self.costs)

    @property
    def batch_ratio(self) -> Spread | None:
        """Batch time over that of the dense network, timed by turns."""
        return self.of("batch_ratio")


def by_turns(rows: Sequence[Costed]) -> list[Costed]:
    """The rows, the dense network's batch time being what it was in turn with the others, where it was timed so."""
    turns = [costs["batch_dense"] for row in rows if not row.dense for costs in row.costs if costs.get("batch_dense")]
    return [replace(row, dense_turns=turns) if row.dense else row for row in rows]
