"""What the report of an advice is given: dense networks that may be pruned, and what two short copies of each came to.

A **candidate** is one dense network that might be pruned: one moment of a training, or one file; of several seeds it
has one cell each. Errors and LMC are fractions in here; only print has percentages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from secateurs.core import DataError
from secateurs.report.regimes.rows import RegimeCellRow, RegimeTerms
from secateurs.report.rows import Provenance

Source = Literal["trained", "study", "files"]
"""Where the dense networks of an advice are from."""


@dataclass(frozen=True)
class Knobs:
    """The temperatures of a candidate's training, as far as they are known.

    Attributes:
        stopped: after how many epochs its training was stopped; None: not known.
        epochs: how many its training takes as a whole; None, like those below: not known, as of a file.
        batch_size, lr: of its training.
        rho: of SAM; 0 without.
    """

    stopped: float | None
    epochs: int | None
    batch_size: int | None
    lr: float | None
    rho: float | None = 0.0

    @property
    def at_the_end(self) -> bool:
        """Whether it was trained to the end, as far as that is known."""
        return self.stopped is None or self.epochs is None or self.stopped >= self.epochs


@dataclass(frozen=True)
class Candidate:
    """One dense network that may be pruned.

    Attributes:
        name: ``"epoch 40"``, or the file's.
        knobs: how it was trained.
        cells: of each seed; their comparisons are the ``probes``, with ``resampled`` draws of ``lmc`` and ``cka``.
    """

    name: str
    knobs: Knobs
    cells: tuple[RegimeCellRow, ...]


@dataclass(frozen=True)
class Spent:
    """What an advice cost, by what it was spent on.

    Attributes:
        dense_epochs: of training dense networks, double with SAM; 0 where they were there.
        dense_seconds: None where they were there, or are not trained yet.
        copies_epochs, copies_seconds: of retraining copies for a short while.
        passes: over data, by kind: ``recalibration``, ``evaluation``, ``outputs``.
        compare_seconds: of these passes and of the draws.
    """

    dense_epochs: float = 0.0
    dense_seconds: float | None = None
    copies_epochs: float = 0.0
    copies_seconds: float = 0.0
    passes: Mapping[str, int] = field(default_factory=dict)
    compare_seconds: float = 0.0


@dataclass(frozen=True)
class AdviceStudy:
    """A whole advice.

    Attributes:
        title: for people.
        about: network, data and what else there is to know, in a line.
        density: kept / total of the prunable weights that is asked about.
        candidates: from the coldest to the hottest where that is known, else as they were given.
        terms: thresholds, copies, epochs of retraining and of the probe.
        source: where dense networks are from: trained here, those of a study, or files.

    Raises:
        DataError: without a candidate, or with two of one name.
    """

    title: str
    about: str
    density: float
    candidates: tuple[Candidate, ...]
    terms: RegimeTerms
    spent: Spent = field(default_factory=Spent)
    source: Source = "trained"
    provenance: Provenance = field(default_factory=Provenance)
    citation: str = ""
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = [each.name for each in self.candidates]
        if not names or len(set(names)) < len(names):
            raise DataError(f"advice {self.title!r}: give each network that may be pruned once, one at least")
