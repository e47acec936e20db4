"""What P4 makes of its regimes (section 4, appendix C): sentences, tables and CSV files; the figures stand apart.

Algorithm 1 says whether to raise the temperature, Algorithms 2 and 2.1 choose the dense network to prune, and the
highest CKA chooses SAM's rho. Each is there where the study has what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from secateurs.report.overview import Row
from secateurs.report.regimes import lines_told, rho_told, selection_told, tuning_told
from secateurs.report.regimes.drawn import Table
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.regrets_tables import CHOICES, REGRETS
from secateurs.report.tickets.grid import Grid

_KINDS = (tuning_told, selection_told, rho_told)


def sentences(found: RegimeFindings) -> Iterator[str]:
    """What Algorithms 1, 2 and 2.1 and the choice of rho come to in one setting."""
    for kind in _KINDS:
        yield from kind.sentences(found)


def overall_sentences(found: Sequence[RegimeFindings]) -> Iterator[str]:
    """What settings with the same temperatures and loads come to beside each other."""
    yield from lines_told.sentences(found)


def grids(found: RegimeFindings) -> Iterator[Grid]:
    """The tables of one setting."""
    for kind in _KINDS:
        yield from kind.grids(found)


def overall_grids(found: Sequence[RegimeFindings]) -> Iterator[Grid]:
    """The tables of several settings beside each other."""
    yield from lines_told.grids(found)


def _each(rows: Callable[[RegimeFindings], Iterable[Row]], found: Sequence[RegimeFindings]) -> Iterator[Row]:
    for each in found:
        yield from rows(each)


def _choices(found: Sequence[RegimeFindings]) -> Iterator[Row]:
    for kind in _KINDS:
        yield from _each(kind.choice_rows, found)


def _regrets(found: Sequence[RegimeFindings]) -> Iterator[Row]:
    for kind in _KINDS:
        yield from _each(kind.regret_rows, found)


def _answers(found: Sequence[RegimeFindings]) -> Iterator[Row]:
    yield from _each(tuning_told.answer_rows, found)


TABLES: Mapping[str, Table] = {
    "answers": Table(tuning_told.ANSWERS, _answers),
    "choices": Table(CHOICES, _choices),
    "regrets": Table(REGRETS, _regrets),
    "settings": Table(lines_told.SETTINGS, lines_told.rows),
}
"""CSV files: Algorithm 1's answers, all choices, their regrets, and settings against each other."""
