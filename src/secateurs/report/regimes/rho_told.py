"""SAM's neighbourhood size chosen by the highest CKA (P4 section 4.3, figure 6), against grid search and fixed ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

from secateurs.report.overview import Row
from secateurs.report.regimes import regrets_tables as tables
from secateurs.report.regimes import regrets_told as told
from secateurs.report.regimes import words
from secateurs.report.regimes.candidates import columns
from secateurs.report.regimes.choices import Way
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.once import once
from secateurs.report.regimes.regrets import Judged, judged
from secateurs.report.regimes.rows import At
from secateurs.report.regimes.selection_told import PAIR_NOTE
from secateurs.report.regimes.tuned import moments
from secateurs.report.regimes.ways import fixed, grid_search, highest_cka
from secateurs.report.tickets.grid import Grid

ASKED = "rho of SAM"
"""What it is called in the CSV files."""

SMALL = 0.1
"""P4's example of a small rho; the nearest one that was tried is taken."""


def fixed_values(found: RegimeFindings) -> tuple[float, ...]:
    """No SAM, a small rho and the largest one, as far as they were tried (P4 figure 6a).

    The small one is nearest to 0.1 in ratio.
    """
    values = found.temperature.values
    largest, positive = max(values), [each for each in values if 0 < each < max(values)]
    small = min(positive, key=lambda each: (abs(math.log(each / SMALL)), each), default=None)
    found_values = (0.0 if 0.0 in values else None, small, largest)
    return tuple(dict.fromkeys(each for each in found_values if each is not None))


@once
def rhos(found: RegimeFindings) -> Judged | None:
    """The rho of the highest CKA against fixed ones and grid search; None where SAM's rho is not the temperature."""
    asked = found.temperature.name == "rho" and len(found.temperature.values) > 1 and moments(found)
    if not asked or found.at_chance:
        return None
    grid = grid_search()
    ways = (*(_fixed(each) for each in fixed_values(found)), *(_by_cka(found, at) for at in moments(found)), grid)
    result = judged(tuple(columns(found)), ways, grid)
    return result if result.has_results else None


def _fixed(rho: float) -> Way:
    name = f"rho = {rho:.4g}" if rho else "rho = 0 (no SAM)"
    return fixed(rho, name, "always the same")


def _by_cka(found: RegimeFindings, at: At) -> Way:
    when = words.when(found.terms, at).removesuffix(" of retraining")
    name = f"highest CKA {when}" if len(moments(found)) > 1 else "highest CKA"
    return highest_cka(at, name, f"highest CKA of two copies {when}")


def by_cka(of: Judged) -> tuple[Way, ...]:
    """The ways that choose by CKA."""
    return tuple(way for way in of.ways if way.name.startswith("highest CKA"))


def sentences(found: RegimeFindings) -> Iterator[str]:
    """How near the highest CKA comes to grid search and to fixed rho, and what it spends."""
    of = rhos(found)
    if of is None:
        return
    yield from told.against_grid(found, of, [way for way in of.ways if way is not of.grid])
    plain = of.ways[0]
    for way in by_cka(of):
        difference = told.difference(of, way, plain)
        if difference is not None:
            apart = told.difference_of(difference)
            yield f"H{way.name[1:]}: test error against {plain.name} of the same seeds, in points: {apart}."
    spent = told.spent(of, [*by_cka(of), of.grid])
    if spent is not None:
        yield (
            f"{spent} CKA needs two copies of every candidate, grid search one. Both need every dense network; its "
            "epochs with SAM count double, as every step takes two passes."
        )
    yield from told.lost(of)


def grids(found: RegimeFindings) -> Iterator[Grid]:
    """The table of the page."""
    of = rhos(found)
    if of is not None:
        note = f"{PAIR_NOTE} Of equal CKA, as of equal errors, the largest rho is taken."
        yield tables.grid(found, of, "rho", "SAM's rho by CKA against grid search", note, dense=True)


def cka_caption(found: RegimeFindings) -> str:
    """What stands below the diagram of CKA."""
    at = found.terms.compared_at or "end"
    return f"CKA {words.when(found.terms, at)}, over seeds; stars: the rho with the highest CKA of each load."


def error_caption(found: RegimeFindings) -> str:
    """What stands below the panel of errors."""
    at = words.when(found.terms, moments(found)[0]).removesuffix(" of retraining")
    return (
        "Test error at fixed rho, and at the rho that is chosen for each seed by the highest CKA "
        f"{at}; bars: one standard deviation over seeds. Dashes: grid search, by validation error."
        f"{told.only(rhos(found))}"
    )


def choice_rows(found: RegimeFindings) -> Iterator[Row]:
    """Every choice, for the CSV file."""
    return tables.choice_rows(found, rhos(found), ASKED)


def regret_rows(found: RegimeFindings) -> Iterator[Row]:
    """Every regret, for the CSV file."""
    return tables.regret_rows(found, rhos(found), ASKED)
