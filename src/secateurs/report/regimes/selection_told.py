"""Algorithms 2 and 2.1 of P4 (section 4.2, figures 4, 16): which dense network to prune, without grid search."""

from __future__ import annotations

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
from secateurs.report.regimes.ways import algorithm_2, algorithm_21, conventional, grid_search
from secateurs.report.tickets.grid import Grid
from secateurs.report.words import SPACE, number_of, plural

ASKED = "model selection"
"""What it is called in the CSV files."""

PAIR_NOTE = (
    "A choice is made with what it pays for: errors of the first copy, LMC and CKA of the first pair. What it comes to "
    "is the mean test error of all copies after the whole retraining. Regret: that error minus the one at grid "
    "search's choice, paired by seed, with Student's 95 % interval of the mean. All means are over the loads and seeds "
    "at which every way came to an error. Copies that are only looked at are charged beside the whole retraining of "
    "what is chosen, though one of them could go on."
)


@once
def selected(found: RegimeFindings) -> Judged | None:
    """The choices of all ways; None where copies were compared at no probe, or where there is nothing to choose."""
    terms = found.terms
    asked = terms.probe_epochs is not None and terms.copies > 1 and not terms.probe_only
    if not asked or len(found.temperature.values) < 2 or found.at_chance:
        return None
    own = tuple(columns(found))
    grid = grid_search()
    ways = (conventional(), algorithm_2(), algorithm_21(), algorithm_2(on_test=True), grid)
    result = judged(own, ways, grid)
    return result if result.has_results else None


def way(of: Judged, name: str) -> Way:
    """One of the ways.

    Raises:
        ValueError: none has this name.
    """
    return of.ways[[each.name for each in of.ways].index(name)]


def sentences(found: RegimeFindings) -> Iterator[str]:
    """What the algorithms come to against grid search and the conventional choice, and what they spend."""
    of = selected(found)
    if of is None:
        return
    ours = [each for each in of.ways if each is not of.grid and not each.on_test]
    yield from told.against_grid(found, of, ours)
    yield from _against_conventional(of)
    spent = told.spent(of, [*ours, of.grid])
    if spent is not None:
        yield " ".join([spent, *_passes(found, of)])
    yield from told.lost(of)


def _against_conventional(of: Judged) -> Iterator[str]:
    first = way(of, "conventional")
    for name in ("Algorithm 2", "Algorithm 2.1"):
        own = way(of, name)
        others, every = told.other_choices(of, own, first)
        found = told.difference(of, own, first)
        if not every:
            continue
        if not others:
            yield f"{name} chooses as the conventional way does, in all of {every} choices."
        elif found is not None:
            over = "over all loads " if len(of.loads) > 1 else ""
            apart = told.difference_of(found)
            yield (
                f"{name} chooses another network than the conventional way in {others} of {plural(every, 'choice')}; "
                f"{over}its test error against it, in points, {plural(len(found.differences), 'seed')}: {apart}."
            )


def _passes(found: RegimeFindings, of: Judged) -> Iterator[str]:
    """What LMC costs beside, and what is given to all."""
    passes = told.passes(of, [way(of, "Algorithm 2")])
    if passes is not None:
        yield f"{passes} (its two copies train for {number_of(2 * (found.terms.probe_epochs or 0))})."
    yield "All ways are given the same dense networks."


def grids(found: RegimeFindings) -> Iterator[Grid]:
    """The table of the page."""
    of = selected(found)
    if of is not None:
        dense = max((line.dense for line in of.lines if line.dense is not None), default=None)
        trained = (
            "" if dense is None else f" All are given the same dense networks ({number_of(dense)} epochs{_sam(found)})."
        )
        printed = (
            " Algorithm 2 as printed looks at test errors where the others look at validation errors: it chooses on "
            "test data, and is shown to be compared with P4 only."
        )
        yield tables.grid(
            found, of, "selection", "Algorithms 2 and 2.1 against grid search", PAIR_NOTE + printed + trained
        )


def _sam(found: RegimeFindings) -> str:
    return ", SAM's counted twice" if found.temperature.name == "rho" else ""


def caption(found: RegimeFindings) -> str:
    """What stands below the figure."""
    alpha = words.when(found.terms, "probe")
    return (
        "Test error of the network that each way chooses, after the whole retraining; means over seeds, bars: one "
        f"standard deviation. Colour: LMC of the chosen network {alpha}. Dashed: grid search, the lowest validation "
        "error after the whole retraining of all candidates. Dotted: the lowest test error of any candidate, a minimum "
        f"of noisy numbers that is chosen on test data. LMC below {words.hundredths(found.terms.threshold)} makes the "
        f"algorithms look at all {len(found.temperature.values)}{SPACE}candidates.{told.only(selected(found))}"
    )


def choice_rows(found: RegimeFindings) -> Iterator[Row]:
    """Every choice, for the CSV file."""
    return tables.choice_rows(found, selected(found), ASKED)


def regret_rows(found: RegimeFindings) -> Iterator[Row]:
    """Every regret, for the CSV file."""
    return tables.regret_rows(found, selected(found), ASKED)
