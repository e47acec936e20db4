"""What the report is given: plain rows of a study's runs, as they came from the store.

Accuracies are fractions in here and percentages only in print. A run that diverged, or that has no
result (its job failed), keeps its row: it is named in the report and takes no part in any mean.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from secateurs.core import DataError, did_you_mean

GRID = "grid"
"""The name in ``PrunedRun.chosen_by`` of a moment that the study tries for every seed."""


def number(row: Mapping[str, Any], name: str) -> float | None:
    """Return ``row[name]`` as a float; None when it is missing, None or not finite.

    >>> number({"loss": 2}, "loss"), number({"loss": float("nan")}, "loss"), number({}, "loss")
    (2.0, None, None)
    """
    value = row.get(name)
    if value is None or not math.isfinite(value):
        return None
    return float(value)


class Summarised:
    """What runs of every kind share: their summary and what may be read from it."""

    summary: Mapping[str, Any]

    @property
    def diverged(self) -> str | None:
        """The moment after which the loss was no longer finite, None for a run that went well."""
        moment = self.summary.get("diverged")
        return None if moment is None else str(moment)

    def accuracy(self, part: str) -> float | None:
        """Accuracy at the end on ``part`` ("test", "validation", "train"), a fraction.

        None when the run diverged or has no result: neither may stand in a mean.
        """
        return None if self.diverged is not None else number(self.summary, f"{part}_accuracy")


@dataclass(frozen=True)
class DenseRun(Summarised):
    """One dense run: ``log`` has one row per epoch (``epoch`` 0 is the untrained network).

    Rows hold ``epoch`` and any of ``lr, loss, train_accuracy, validation_accuracy, fisher_trace,
    kl_uniform, gradient_norm, ...``, ``seconds`` and ``seconds/<signal>``; a key may be absent or
    None. ``summary``: ``test_accuracy, validation_accuracy, train_accuracy, diverged, seconds``, ``costs``.
    """

    seed: int
    setting: str
    steps_per_epoch: int
    epochs: int
    log: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any] = field(default_factory=dict)

    def series(self, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The epochs at which ``name`` was measured, in order, and its values there."""
        pairs = [(float(row["epoch"]), value) for row in self.log if (value := number(row, name)) is not None]
        return tuple(epoch for epoch, _ in pairs), tuple(value for _, value in pairs)


@dataclass(frozen=True)
class PrunedRun(Summarised):
    """One run pruned at ``moment`` (``epoch`` epochs) to ``density``; ``summary`` as in DenseRun.

    ``chosen_by`` says why it was pruned there: :data:`GRID` and/or names of triggers. A run without
    a result (its job failed) has an empty summary. ``costs``: for each of ``chosen_by``, the costs of the network and
    of the way there (:mod:`secateurs.report.costs`), with the time of the signals that it needed. ``at_bound``: of
    the triggers those that chose it only because their upper bound was reached.
    """

    seed: int
    setting: str
    moment: str
    epoch: float
    density: float
    chosen_by: tuple[str, ...] = (GRID,)
    summary: Mapping[str, Any] = field(default_factory=dict)
    costs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    at_bound: tuple[str, ...] = ()


@dataclass(frozen=True)
class InstabilityRun:
    """The analysis of one seed at one moment; ``summary`` as the job gives it, {} without a result."""

    seed: int
    setting: str
    moment: str
    epoch: float
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from, so that somebody else can get them again."""

    recipe: str = ""
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A whole study. ``triggers`` maps each trigger's name to what it does, in words.

    ``needs`` says which signals each trigger reads: their time is what the trigger costs (a trigger
    that is not in it has no known cost in time). ``figure`` is the paper's figure that the study
    regenerates, e.g. "P0, figure 5", ``scale`` the scale that was run, where it is not the paper's.
    ``thresholds``: by (setting, trigger), the signal that a trigger waits for to fall, and below what.

    A trigger without a pruned run on some seed never fired there: a run whose job failed is given
    with an empty summary, so that the two are not taken for one another.

    Raises:
        DataError: no dense run, a run given twice, a pruned run without its dense run, or a
            trigger in a run or in ``needs`` that is not in ``triggers``.
    """

    title: str
    dense: Sequence[DenseRun]
    pruned: Sequence[PrunedRun]
    triggers: Mapping[str, str] = field(default_factory=dict)
    signals: Sequence[str] = ("fisher_trace", "kl_uniform")
    provenance: Provenance = field(default_factory=Provenance)
    citation: str = ""
    notes: Sequence[str] = ()
    figure: str = ""
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    instability: Sequence[InstabilityRun] = ()
    scale: str = ""
    thresholds: Mapping[tuple[str, str], tuple[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.dense:
            raise DataError(f"study {self.title!r} has no dense run: there is nothing to compare pruned networks with")
        roots = Counter((run.setting, run.seed) for run in self.dense)
        runs = Counter((run.setting, run.seed, run.density, run.epoch) for run in self.pruned)
        for key, count in [*roots.items(), *runs.items()]:
            if count > 1:
                raise DataError(f"study {self.title!r}: run {key} is given {count} times: give each run once")
        for run in self.pruned:
            where = f"study {self.title!r}: {run.setting!r}, seed {run.seed}, pruned at {run.moment}"
            if (run.setting, run.seed) not in roots:
                raise DataError(f"{where}: its dense run is missing: give it too")
            for name in run.chosen_by:
                if name != GRID and name not in self.triggers:
                    raise DataError(f"{where}: unknown trigger {name!r}{did_you_mean(name, [GRID, *self.triggers])}")
        for name in self.needs:
            if name not in self.triggers:
                unknown = f"unknown trigger {name!r}{did_you_mean(name, self.triggers)}"
                raise DataError(f"study {self.title!r}: needs: {unknown}")
