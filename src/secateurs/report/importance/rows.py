"""What the report of P3's analyses is given: measured runs, as plain rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from secateurs.core import DataError
from secateurs.report.rows import Provenance, Summarised

Pairs = Sequence[tuple[float, float]]
"""``(theta' g, theta' Hg)`` of some units."""

UNITS = {"channels": "filters", "weights": "weights"}
"""How the units of a study are called in print."""


@dataclass(frozen=True)
class ImportanceRun(Summarised):
    """One dense run that was measured on the way.

    Attributes:
        log: rows of epochs (``epoch``, ``loss``, ``gradient_norms``) and rows of measures: ``measured`` is
            ``"change"`` (``unit, correlation, of_sums, of_scales, mask_distance, entries``) or ``"flow"``
            (``unit, correlation, entries``).
        scatters: by (epoch, unit), some of the pairs whose coefficient is in the log.
        summary: ``test_accuracy, diverged, ...``; ``layers`` and ``widths`` say which weights the
            gradient norms are of, and how many units they make, ``looked_at`` which of them count.
            {} without a result.
    """

    setting: str
    seed: int
    epochs: int
    log: Sequence[Mapping[str, Any]] = ()
    scatters: Mapping[tuple[int, str], Pairs] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ImportanceStudy:
    """A whole study: runs of some settings and seeds.

    Attributes:
        figure: the paper's figures that it regenerates.
        scale: of the recipe; empty where it is the paper's.
        masked: kept / total of the masks whose distances were taken, by setting.
        chance: the accuracy (a fraction) of guessing, by setting, where it is known.

    Raises:
        DataError: without a run, or for one that is given twice.
    """

    title: str
    runs: Sequence[ImportanceRun]
    masked: Mapping[str, float] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    citation: str = ""
    notes: Sequence[str] = ()
    figure: str = ""
    scale: str = ""
    chance: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.runs:
            raise DataError(f"study {self.title!r} has no run: there is nothing to show")
        for (setting, seed), count in Counter((run.setting, run.seed) for run in self.runs).items():
            if count > 1:
                raise DataError(f"study {self.title!r}: {setting!r}, seed {seed} is given {count} times: give it once")
