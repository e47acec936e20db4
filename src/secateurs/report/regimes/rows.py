"""What the report of a study of regimes is given: plain rows of its runs, as they came from the store.

A **cell** is one dense network, trained at one **temperature** with one seed, pruned to one **load** and retrained in
some **copies**, which saw the data in other orders. Copies of one cell are compared in **pairs**, (0, 1), (0, 2),
(1, 2): at the end of retraining, and at the **probe**, alpha epochs into it (P4 section 2.4). Errors and LMC are
fractions in here; only print has percentages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean
from typing import Any, Literal

from secateurs.core import DataError
from secateurs.report.rows import Provenance, number

Row = Mapping[str, Any]
"""What a run or a comparison came to; {} without a result (not done yet, or its job failed)."""

At = Literal["end", "probe"]
"""When copies are looked at: after the last epoch of retraining, or at its probe."""

Part = Literal["train", "validation", "test"]
"""A part of the data."""

PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Axis:
    """The temperatures or the loads of a setting.

    Attributes:
        name: as recipes spell it: ``"epochs"``, ``"batch_size"``, ``"rho"``, ``"lr"``; ``"density"``, ``"width"``,
            ``"depth"``.
        values: temperatures from the hottest to the coldest, loads from the smallest value to the largest.
        label: what it is in words, ``"training epochs"``.

    >>> Axis("epochs", (10.0, 160.0), "training epochs").place(160)
    1
    """

    name: str
    values: tuple[float, ...]
    label: str

    def place(self, value: float) -> int:
        """Which of the values it is, from 0.

        Raises:
            ValueError: none of them.
        """
        return self.values.index(value)


@dataclass(frozen=True)
class RegimeTerms:
    """What one setting was judged and run by.

    Attributes:
        threshold: LMC below it is Regime I.
        similar_from: CKA from which well-connected copies are in Regime II-B.
        copies: how many were retrained from each pruned network.
        retrain_epochs: how many epochs retraining takes.
        dense_epochs: by temperature, how many epochs its dense network was trained; double where it was with SAM,
            whose every step takes two passes.
        last_epochs: over how many of the last epochs of retraining test and validation error are means.
        tuning: Algorithm 1's temperatures (initial T0, raised T'); None: it was not asked for.
        probe_epochs: alpha, the epochs of retraining after which copies were compared as well; None: they were not.
        ends: whether copies were compared at the end of retraining.
        probe_only: whether copies were retrained only until the probe.
        points, samples, outputs: of LMC how many points along the way; of CKA how many examples, and of what outputs.
        chance: the accuracy of guessing, a fraction; None where it is not known.

    >>> RegimeTerms().compared_at, RegimeTerms(ends=False, probe_epochs=2).compared_at
    ('end', 'probe')
    >>> RegimeTerms(copies=1).compared_at is None
    True
    """

    threshold: float = -0.05
    similar_from: float = 0.9
    copies: int = 3
    retrain_epochs: float = 160
    dense_epochs: Mapping[float, float] = field(default_factory=dict)
    last_epochs: int = 5
    tuning: tuple[float, float] | None = None
    probe_epochs: float | None = None
    ends: bool = True
    probe_only: bool = False
    points: int = 11
    samples: int = 6400
    outputs: str = "softmax"
    chance: float | None = None

    @property
    def tested_at(self) -> At:
        """When the errors are taken that are shown."""
        return "probe" if self.probe_only else "end"

    @property
    def compared_at(self) -> At | None:
        """When copies were compared, the end where they were there as well; None: never."""
        if self.copies < 2:
            return None
        return "end" if self.ends and not self.probe_only else None if self.probe_epochs is None else "probe"


@dataclass(frozen=True)
class RegimeCellRow:
    """One dense network, pruned to one load, and its retrained copies.

    Attributes:
        density: kept / total of the prunable weights; the load itself where that is density.
        dense: the dense network as it was pruned: ``train_accuracy, validation_accuracy, test_accuracy, diverged``.
        mask: ``density, layer_densities, empty_layers``.
        runs: by copy, ``train_error, validation_error, test_error, diverged``, and ``probe``, a mapping with the same
            errors, where it was looked at there.
        ends, probes: by pair, ``lmc, cka, cka_undefined, alphas, errors, diverged_copies``; ``diverged`` where the
            dense network did.

    >>> run = {"test_error": 0.25, "diverged": None}
    >>> pair = {"lmc": -0.25, "cka": None, "cka_undefined": "constant outputs", "diverged": None}
    >>> cell = RegimeCellRow("net", 160, 0.05, 0.05, 0, {"test_accuracy": 0.75}, runs=(run, {}), ends=(pair,))
    >>> cell.error("test"), cell.dense_error("test"), cell.lmc(), cell.cka(), cell.waiting
    (0.25, 0.25, -0.25, None, 1)
    """

    setting: str
    temperature: float
    load: float
    density: float
    seed: int
    dense: Row = field(default_factory=dict)
    mask: Row = field(default_factory=dict)
    runs: tuple[Row, ...] = ()
    ends: tuple[Row, ...] = ()
    probes: tuple[Row, ...] = ()

    def errors(self, part: Part, at: At = "end") -> tuple[float | None, ...]:
        """By copy its error, a fraction; None of one that had diverged by then, or has no result."""
        return tuple(number(_looked(run, at), f"{part}_error") for run in self.runs)

    def error(self, part: Part, at: At = "end") -> float | None:
        """The mean error of the copies that have one; None where none has."""
        return mean(self.errors(part, at))

    def dense_error(self, part: Part) -> float | None:
        """The error of the dense network that was pruned."""
        accuracy = None if _diverged(self.dense) else number(self.dense, f"{part}_accuracy")
        return None if accuracy is None else 1 - accuracy

    def pairs(self, at: At = "end") -> tuple[Row, ...]:
        """The comparisons."""
        return self.ends if at == "end" else self.probes

    def lmc(self, at: At = "end") -> float | None:
        """Linear mode connectivity (P4 eq. 1), a fraction: the mean over the pairs that have one."""
        return mean(number(pair, "lmc") for pair in self.pairs(at))

    def cka(self, at: At = "end") -> float | None:
        """CKA of the outputs (P4 eq. 2), in [0, 1]: the mean over the pairs that have one."""
        return mean(number(pair, "cka") for pair in self.pairs(at))

    @property
    def empty_layers(self) -> tuple[str, ...]:
        """The layers whose every weight was pruned, by name."""
        return tuple(str(name) for name in self.mask.get("empty_layers", ()))

    @property
    def diverged(self) -> int:
        """How many copies diverged; all of them where the dense network did."""
        return len(self.runs) if _diverged(self.dense) else sum(_diverged(run) for run in self.runs)

    @property
    def waiting(self) -> int:
        """How many copies and comparisons have no result and may get one yet."""
        if _diverged(self.dense):
            return 0
        return sum(not row for row in (*self.runs, *self.ends, *self.probes))


@dataclass(frozen=True)
class RegimeStudy:
    """A whole study of regimes.

    Attributes:
        cells: every dense network at every temperature and load, done or not.
        temperatures, loads, terms: by setting.
        scale: the scale that was run, where it is not the paper's.

    Raises:
        DataError: a cell given twice or off its axes, a setting without axes or terms.
    """

    title: str
    cells: Sequence[RegimeCellRow]
    temperatures: Mapping[str, Axis]
    loads: Mapping[str, Axis]
    terms: Mapping[str, RegimeTerms]
    provenance: Provenance = field(default_factory=Provenance)
    citation: str = ""
    notes: Sequence[str] = ()
    figure: str = ""
    scale: str = ""

    def __post_init__(self) -> None:
        for fault in self._faults():
            raise DataError(f"study {self.title!r}: {fault}")

    def _faults(self) -> Iterator[str]:
        for setting in dict.fromkeys([*self.settings, *(cell.setting for cell in self.cells)]):
            for known, what in ((self.temperatures, "temperatures"), (self.loads, "loads"), (self.terms, "terms")):
                if setting not in known:
                    yield f"{what} lack the setting {setting!r}: give them too"
        for place, count in Counter(place_of(cell) for cell in self.cells).items():
            if count > 1:
                yield f"the cell {place} is given {count} times: give each once"
        for cell in self.cells:
            if cell.temperature not in self.temperatures[cell.setting].values:
                yield f"the cell {place_of(cell)}: its temperature is none of the setting's: add it to the axis"
            if cell.load not in self.loads[cell.setting].values:
                yield f"the cell {place_of(cell)}: its load is none of the setting's: add it to the axis"

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings, in the order given."""
        return tuple(self.terms)

    def of(self, setting: str) -> tuple[RegimeCellRow, ...]:
        """The cells of one setting."""
        return tuple(cell for cell in self.cells if cell.setting == setting)


def place_of(cell: RegimeCellRow) -> tuple[str, float, float, int]:
    """Which cell it is: setting, temperature, load, seed."""
    return cell.setting, cell.temperature, cell.load, cell.seed


def pairs_of(copies: int) -> tuple[tuple[int, int], ...]:
    """Which copies are compared, in the order of :meth:`RegimeCellRow.pairs`.

    >>> pairs_of(3)
    ((0, 1), (0, 2), (1, 2))
    """
    return tuple(combinations(range(copies), 2))


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are there; None where none is.

    >>> mean([0.25, None, 0.75]), mean([None])
    (0.5, None)
    """
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


def _diverged(row: Row) -> bool:
    return row.get("diverged") is not None


def _looked(run: Row, at: At) -> Row:
    found: Row = run.get("probe") or {} if at == "probe" else {} if _diverged(run) else run
    return found
