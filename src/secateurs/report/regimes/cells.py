"""Cells of a phase diagram: one temperature and load, over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Literal, TypeVar

from secateurs.core.regimes import Regime, regime
from secateurs.report.chance import hardly_better
from secateurs.report.curves import Spread
from secateurs.report.regimes.rows import PARTS, Part, RegimeCellRow, RegimeTerms
from secateurs.report.rows import number

V = TypeVar("V")

Lack = Literal["waiting", "diverged", "undefined", "unpaired"]
"""Why a cell has no number: not done yet, everything in it diverged, it is not defined there (CKA of outputs that are
the same for every example), or the cells of its load have too few seeds in common."""


@dataclass(frozen=True)
class Cell:
    """One temperature and load; ``rows`` are of a seed each.

    A number of a seed is the mean over its copies, or over its pairs of copies; a number of the cell the mean of
    these over seeds (P4 appendix B.1). Errors and LMC are fractions.
    """

    temperature: float
    load: float
    rows: tuple[RegimeCellRow, ...]
    terms: RegimeTerms

    def errors(self, part: Part = "test") -> dict[int, float]:
        """Error after retraining by seed, of those that have one."""
        return dict(self._errors[part])

    @cached_property
    def _errors(self) -> dict[Part, dict[int, float]]:
        at = self.terms.tested_at
        return {part: _known({row.seed: row.error(part, at) for row in self.rows}) for part in PARTS}

    def error(self, part: Part = "test") -> Spread | None:
        """Error after retraining, over seeds."""
        return self._error[part]

    @cached_property
    def _error(self) -> dict[Part, Spread | None]:
        return {part: Spread.of(self._errors[part].values()) for part in PARTS}

    def dense_error(self, part: Part = "test") -> Spread | None:
        """Error of the dense networks that were pruned, over seeds."""
        return Spread.of(row.dense_error(part) for row in self.rows)

    @cached_property
    def lmcs(self) -> dict[int, float]:
        """LMC by seed."""
        at = self.terms.compared_at
        return {} if at is None else _known({row.seed: row.lmc(at) for row in self.rows})

    @cached_property
    def ckas(self) -> dict[int, float]:
        """CKA by seed."""
        at = self.terms.compared_at
        return {} if at is None else _known({row.seed: row.cka(at) for row in self.rows})

    @cached_property
    def lmc(self) -> Spread | None:
        """LMC over seeds."""
        return Spread.of(self.lmcs.values())

    @cached_property
    def cka(self) -> Spread | None:
        """CKA over seeds."""
        return Spread.of(self.ckas.values())

    @cached_property
    def guesses(self) -> bool:
        """Whether it is hardly better than guessing; False where that is not known.

        Copies that have learned nothing are well connected, which says nothing.
        """
        errors = self.errors()
        known = self.terms.chance is not None and errors
        return bool(known) and hardly_better(1 - fmean(errors.values()), self.terms.chance or 0.0)

    @cached_property
    def regime(self) -> Regime | None:
        """By the means over seeds; None where it cannot be told, or where the cell only guesses."""
        lmc, cka = self.lmc, self.cka
        if self.guesses:
            return None
        return self._regime(None if lmc is None else lmc.mean, None if cka is None else cka.mean)

    @cached_property
    def regimes(self) -> dict[int, Regime]:
        """The regime by seed, of the seeds of which it can be told."""
        return _known({seed: self._regime(lmc, self.ckas.get(seed)) for seed, lmc in self.lmcs.items()})

    @property
    def agreeing(self) -> int:
        """On how many seeds the regime is that of the means."""
        return sum(each == self.regime for each in self.regimes.values())

    def _regime(self, lmc: float | None, cka: float | None) -> Regime | None:
        return regime(lmc, cka, threshold=self.terms.threshold, similar_from=self.terms.similar_from)

    @property
    def planned(self) -> tuple[int, int]:
        """How many copies and how many comparisons there are to be."""
        return sum(len(row.runs) for row in self.rows), sum(len(self._pairs(row)) for row in self.rows)

    @property
    def known(self) -> tuple[int, int]:
        """How many copies have an error, and how many comparisons an LMC."""
        copies = sum(error is not None for row in self.rows for error in row.errors("test", self.terms.tested_at))
        pairs = sum(number(pair, "lmc") is not None for row in self.rows for pair in self._pairs(row))
        return copies, pairs

    @property
    def diverged(self) -> int:
        """How many copies diverged."""
        return sum(row.diverged for row in self.rows)

    @property
    def waiting(self) -> bool:
        """Whether something in it has no result yet."""
        return not self.rows or any(row.waiting for row in self.rows)

    @property
    def empty_layers(self) -> dict[str, list[int]]:
        """Layers without any weight left: the seeds on which they are so."""
        found: dict[str, list[int]] = {}
        for row in self.rows:
            for name in row.empty_layers:
                found.setdefault(name, []).append(row.seed)
        return found

    @property
    def undefined(self) -> str:
        """Why CKA is not defined for a comparison of this cell; empty where it is for all."""
        told = (pair.get("cka_undefined") for row in self.rows for pair in self._pairs(row))
        return next((str(each) for each in told if each), "")

    def lack(self, known: object, *, undefined: bool = False) -> Lack | None:
        """Why a number of this cell is not known; None where it is. ``undefined``: it need not be defined."""
        if known is not None:
            return None
        if undefined and self.undefined:
            return "undefined"
        return "waiting" if self.waiting or not self.diverged else "diverged"

    def _pairs(self, row: RegimeCellRow) -> tuple[Mapping[str, object], ...]:
        at = self.terms.compared_at
        return () if at is None else row.pairs(at)


def _known(values: Mapping[int, V | None]) -> dict[int, V]:
    return {seed: value for seed, value in values.items() if value is not None}
