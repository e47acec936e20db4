"""What an advice finds: the regime of each candidate, how sure that is, and which one to prune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np

from secateurs.core import derive_seed
from secateurs.core.regimes import Regime, Selection, regime, select, shares
from secateurs.report.advice.rows import AdviceStudy, Candidate
from secateurs.report.chance import hardly_better
from secateurs.report.regimes.rows import RegimeCellRow, mean
from secateurs.report.rows import number

LEVEL = 0.95
"""How much of the draws an interval holds; a verdict that fewer draws share is told to be unsure."""


@dataclass(frozen=True)
class Verdict:
    """What was found of one candidate.

    Attributes:
        candidate: which.
        error: of the dense network on validation data, mean over seeds; None where all diverged.
        copies_error: of the copies after their short retraining, on validation data.
        lmc, cka: means over pairs of copies, then over seeds; None where there is none.
        regime: None where it cannot be told, or the copies only guess.
        guesses: the accuracy of copies that are hardly better than guessing: what has learned nothing is well
            connected, which says nothing. None where they are better.
        draws: of the bootstrap, as (LMC, CKA).
        shares: how many of the draws fall into each regime, as fractions; empty of copies that only guess.
        chance: the accuracy of guessing; None where it is not known.
    """

    candidate: Candidate
    error: float | None
    copies_error: float | None
    lmc: float | None
    cka: float | None
    regime: Regime | None
    guesses: float | None
    draws: tuple[tuple[float, float | None], ...]
    shares: Mapping[Regime, float]
    chance: float | None = None

    @property
    def name(self) -> str:
        """The candidate's."""
        return self.candidate.name

    @property
    def share(self) -> float | None:
        """How many of the draws fall into the regime that was found; None without draws, or without a regime."""
        return None if self.regime is None or not self.draws else self.shares[self.regime]

    @property
    def sure(self) -> bool:
        """Whether nearly all draws say the same."""
        return self.share is not None and self.share >= LEVEL

    @property
    def hardly_trained(self) -> bool:
        """Whether the copies are nearer to guessing than to the dense network."""
        if self.copies_error is None or self.error is None:
            return False
        return self.copies_error > (1 - (self.chance or 0.0) + self.error) / 2

    @property
    def too_early(self) -> bool:
        """Whether the copies have learned too little for anything to follow from their LMC and CKA."""
        return self.hardly_trained or self.guesses is not None

    @property
    def lmc_interval(self) -> tuple[float, float] | None:
        """What holds :data:`LEVEL` of the draws of LMC."""
        return interval([lmc for lmc, _ in self.draws])

    @property
    def cka_interval(self) -> tuple[float, float] | None:
        """What holds :data:`LEVEL` of the draws of CKA."""
        return interval([cka for _, cka in self.draws if cka is not None])

    @property
    def dense_diverged(self) -> tuple[RegimeCellRow, ...]:
        """The dense networks that had diverged when they were to be pruned."""
        return tuple(cell for cell in self.candidate.cells if cell.dense.get("diverged") is not None)

    @property
    def copies_diverged(self) -> int:
        """How many copies diverged of dense networks that had not."""
        return sum(cell.diverged for cell in self.candidate.cells if cell not in self.dense_diverged)

    @property
    def undefined(self) -> tuple[str, ...]:
        """Why CKA is undefined of pairs that have none, each reason once."""
        told = (pair.get("cka_undefined") for cell in self.candidate.cells for pair in cell.probes)
        return tuple(dict.fromkeys(str(reason) for reason in told if reason))

    @property
    def empty_layers(self) -> tuple[str, ...]:
        """Layers without a weight, in any of the seeds."""
        return tuple(dict.fromkeys(name for cell in self.candidate.cells for name in cell.empty_layers))

    @property
    def waiting(self) -> int:
        """How many copies and comparisons have no result yet."""
        return sum(cell.waiting for cell in self.candidate.cells)

    @property
    def seeds(self) -> int:
        """How many dense networks have an LMC."""
        return sum(cell.lmc("probe") is not None for cell in self.candidate.cells)


@dataclass(frozen=True)
class AdviceFindings:
    """What an advice found: a verdict on each candidate, in their order."""

    study: AdviceStudy
    verdicts: tuple[Verdict, ...]

    @cached_property
    def selection(self) -> Selection | None:
        """Which of several candidates to prune (P4 Algorithm 2.1); None of a single one, or where all diverged.

        By the dense networks' validation error first; where that one is poorly connected, by the highest CKA.
        """
        if len(self.verdicts) < 2 or all(each.error is None for each in self.verdicts):
            return None
        return select(
            [each.error for each in self.verdicts],
            lambda i: self.verdicts[i].lmc,
            lambda i: self.verdicts[i].cka,
            self.study.terms.threshold,
        )

    @property
    def chosen(self) -> Verdict:
        """What the advice is about: the candidate that was selected, else the first."""
        return self.verdicts[self.selection.chosen if self.selection else 0]

    @property
    def first(self) -> Verdict:
        """What would conventionally be pruned: the least validation error of the dense networks, else the first."""
        return self.verdicts[self.selection.first if self.selection else 0]


def find_advice(study: AdviceStudy) -> AdviceFindings:
    """Judge every candidate."""
    return AdviceFindings(study, tuple(_verdict(each, study) for each in study.candidates))


def _verdict(candidate: Candidate, study: AdviceStudy) -> Verdict:
    cells, terms = candidate.cells, study.terms
    lmc, cka = mean(cell.lmc("probe") for cell in cells), mean(cell.cka("probe") for cell in cells)

    def judged(one: float | None, other: float | None) -> Regime | None:
        return regime(one, other, threshold=terms.threshold, similar_from=terms.similar_from)

    draws, errors = draws_of(cells), mean(cell.error("validation", "probe") for cell in cells)
    guesses = (
        None if errors is None or terms.chance is None or not hardly_better(1 - errors, terms.chance) else 1 - errors
    )
    return Verdict(
        candidate,
        error=mean(cell.dense_error("validation") for cell in cells),
        copies_error=errors,
        lmc=lmc,
        cka=cka,
        regime=judged(lmc, cka) if guesses is None else None,
        guesses=guesses,
        draws=draws,
        shares=shares(judged(*draw) for draw in draws) if guesses is None else {},
        chance=terms.chance,
    )


def draws_of(cells: Sequence[RegimeCellRow]) -> tuple[tuple[float, float | None], ...]:
    """LMC and CKA of each draw of a bootstrap: over the data of one seed; over seeds, and the data of each, of several.

    A draw of one seed is the mean over its pairs of copies. Of S seeds, S are drawn with replacement, and of each of
    them one of its draws. Deterministic.

    >>> pair = {"lmc": -0.2, "cka": 0.5, "resampled": {"lmc": [-0.1, -0.3], "cka": [0.5, 0.25]}}
    >>> draws_of([RegimeCellRow("net", 8, 0.1, 0.1, 0, probes=(pair,))])
    ((-0.1, 0.5), (-0.3, 0.25))
    """
    own = [draws for cell in cells if (draws := _of_one_seed(cell))]
    if len(own) < 2:
        return own[0] if own else ()
    chance = np.random.default_rng(derive_seed("advice", *(cell.seed for cell in cells)))
    drawn = []
    for seeds in chance.integers(len(own), size=(max(map(len, own)), len(own))):
        picked = [own[seed][chance.integers(len(own[seed]))] for seed in seeds]
        drawn.append((fmean(lmc for lmc, _ in picked), mean(cka for _, cka in picked)))
    return tuple(drawn)


def _of_one_seed(cell: RegimeCellRow) -> tuple[tuple[float, float | None], ...]:
    pairs = [pair["resampled"] for pair in cell.probes if number(pair, "lmc") is not None and pair.get("resampled")]
    if not pairs:
        return ()
    lmc = [[float(value) for value in pair["lmc"]] for pair in pairs]
    cka = [list(pair.get("cka") or [None] * len(pair["lmc"])) for pair in pairs]
    return tuple(
        (fmean(one), mean(other)) for one, other in zip(zip(*lmc, strict=True), zip(*cka, strict=True), strict=True)
    )


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float] | None:
    """What holds so much of the values, leaving out as many below as above; None without values.

    >>> interval([float(each) for each in range(101)])
    (2.0, 98.0)
    """
    if not values:
        return None
    ordered, outside = sorted(values), int((1 - level) / 2 * len(values))
    return ordered[outside], ordered[len(values) - 1 - outside]
