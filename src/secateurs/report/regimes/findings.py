"""What the cells of one setting show: errors, connectivity, similarity and regimes over temperature and load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from secateurs.core.regimes import Regime
from secateurs.report.chance import hardly_better
from secateurs.report.curves import Spread
from secateurs.report.methods.compared import FEWEST
from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.rows import Axis, RegimeCellRow, RegimeStudy, RegimeTerms


@dataclass(frozen=True)
class RegimeFindings:
    """One setting.

    Attributes:
        rows: its cells as they were given, a row for each seed.
        seeds: of the dense networks.
        cells: every temperature and load, load by load, the hottest first.
    """

    study: RegimeStudy
    setting: str
    rows: tuple[RegimeCellRow, ...]
    temperature: Axis
    load: Axis
    terms: RegimeTerms
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]

    @cached_property
    def _by_place(self) -> Mapping[tuple[float, float], Cell]:
        return {(cell.temperature, cell.load): cell for cell in self.cells}

    @cached_property
    def _by_seed(self) -> Mapping[tuple[float, float, int], RegimeCellRow]:
        return {(row.temperature, row.load, row.seed): row for row in self.rows}

    def cell(self, temperature: float, load: float) -> Cell:
        """The cell at a temperature and load."""
        return self._by_place[temperature, load]

    def row(self, temperature: float, load: float, seed: int) -> RegimeCellRow | None:
        """The row of a seed; None where there is none."""
        return self._by_seed.get((temperature, load, seed))

    def column(self, load: float) -> tuple[Cell, ...]:
        """The cells of a load, the hottest first."""
        return tuple(self.cell(temperature, load) for temperature in self.temperature.values)

    def best(self, load: float) -> Cell | None:
        """The cell of a load with the lowest mean test error, P4's optimum of a column; of equal ones the hottest.

        Means are over :meth:`common` seeds; None where these are too few. It is chosen on test data, for the figure
        only: no procedure may choose so.
        """
        return self._best[load]

    def common(self, load: float) -> tuple[int, ...]:
        """The seeds on which every cell of a load has an error, where they are three or all; else none.

        A cell in which everything diverged is not asked for one.
        """
        return self._common[load]

    @cached_property
    def _common(self) -> Mapping[float, tuple[int, ...]]:
        return {load: self._shared(self.column(load)) for load in self.load.values}

    def _shared(self, column: tuple[Cell, ...]) -> tuple[int, ...]:
        errors = [own for cell in column if (own := cell.errors()) or cell.lack(None) != "diverged"]
        shared = tuple(seed for seed in self.seeds if all(seed in own for own in errors))
        return shared if errors and len(shared) >= min(FEWEST, len(self.seeds)) else ()

    @cached_property
    def _best(self) -> Mapping[float, Cell | None]:
        return {load: _lowest(self.column(load), self.common(load)) for load in self.load.values}

    def excess(self, cell: Cell) -> Spread | None:
        """Test error minus that of the load's best cell (P4 figure 2b), over the seeds that all cells of the load have.

        None where it is not known, or the load has no best cell.
        """
        best, own = self.best(cell.load), cell.errors()
        if best is None or not own:
            return None
        least = best.errors()
        return Spread.of(own[seed] - least[seed] for seed in self.common(cell.load))

    def of(self, regime: Regime) -> tuple[Cell, ...]:
        """The cells in a regime."""
        return tuple(cell for cell in self.cells if cell.regime == regime)

    @property
    def has_results(self) -> bool:
        """Whether any pruned network has an error."""
        return any(cell.errors() for cell in self.cells)

    @property
    def compared(self) -> bool:
        """Whether copies are compared at all: else there are no regimes."""
        return self.terms.compared_at is not None

    @cached_property
    def at_chance(self) -> bool:
        """Whether the best dense networks are hardly better than guessing; then nothing is judged."""
        errors = [error.mean for cell in self.cells if (error := cell.dense_error()) is not None]
        chance = self.terms.chance
        return chance is not None and bool(errors) and hardly_better(1 - min(errors), chance)


def find_regimes(study: RegimeStudy) -> tuple[RegimeFindings, ...]:
    """What each setting shows, in the study's order."""
    return tuple(_found(study, setting) for setting in study.settings)


def _found(study: RegimeStudy, setting: str) -> RegimeFindings:
    rows = study.of(setting)
    temperature, load, terms = study.temperatures[setting], study.loads[setting], study.terms[setting]
    by: dict[tuple[float, float], list[RegimeCellRow]] = {}
    for row in sorted(rows, key=lambda row: row.seed):
        by.setdefault((row.temperature, row.load), []).append(row)
    cells = tuple(
        Cell(hot, each, tuple(by.get((hot, each), ())), terms) for each in load.values for hot in temperature.values
    )
    seeds = tuple(sorted({row.seed for row in rows}))
    return RegimeFindings(study, setting, rows, temperature, load, terms, seeds, cells)


def _lowest(column: tuple[Cell, ...], seeds: tuple[int, ...]) -> Cell | None:
    errors = [(cell, own) for cell in column if (own := cell.errors())]
    return min(errors, key=lambda each: fmean(each[1][seed] for seed in seeds))[0] if seeds else None
