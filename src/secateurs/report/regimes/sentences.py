"""The findings of a study of regimes in sentences: plain, short, and no kinder than the numbers.

The page and the terminal say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from secateurs.core.regimes import POORLY_CONNECTED
from secateurs.report.chance import against
from secateurs.report.methods.compared import FEWEST
from secateurs.report.regimes import applied, words
from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.claims_told import claims
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regret import FEW_SEEDS
from secateurs.report.words import NAMED, listed, percent, plural, seed_list, some


def summary(findings: RegimeFindings) -> list[str]:
    """The findings as a few sentences, the most important first."""
    judged = findings.has_results and not findings.at_chance
    return [
        *_unknown(findings),
        *_chance(findings),
        *_seeds(findings),
        *(claims(findings) if judged else ()),
        *(_best(findings) if judged else ()),
        *(applied.sentences(findings) if judged else ()),
        *(_regimes(findings) if not findings.at_chance else ()),
        *dense(findings),
        *_guessing(findings),
        *_lost(findings),
        *_undefined(findings),
        *_emptied(findings),
    ]


def overall(found: Sequence[RegimeFindings]) -> list[str]:
    """What several settings come to beside each other; nothing of one."""
    return list(applied.overall_sentences(found)) if len(found) > 1 else []


def _unknown(findings: RegimeFindings) -> Iterator[str]:
    if not findings.has_results:
        yield "No pruned network has a result yet."
        return
    waiting = [cell for cell in findings.cells if cell.waiting]
    if waiting:
        none, every = sum(not cell.errors() for cell in waiting), len(findings.cells)
        told = f"{'it' if len(waiting) == 1 else 'each'} has an error already"
        if none:
            told = f"{none} of them {'has' if none == 1 else 'have'} no error yet"
        which = f"all {every} cells" if len(waiting) == every > 1 else f"{len(waiting)} of {plural(every, 'cell')}"
        verb = "waits" if len(waiting) == 1 else "wait"
        yield f"The study is not finished: {which} {verb} for results; {told}. All that follows may change."


def _chance(findings: RegimeFindings) -> Iterator[str]:
    if findings.at_chance:
        errors = [error.mean for cell in findings.cells if (error := cell.dense_error()) is not None]
        told = against(1 - min(errors), findings.terms.chance or 0.0)
        said = "nothing here says anything about pruning"
        yield f"Even the best dense networks are hardly better than chance (accuracy {told}): {said}."


def _seeds(findings: RegimeFindings) -> Iterator[str]:
    counts = [len(own) for cell in findings.cells if (own := cell.errors())]
    fewest, most, every = min(counts, default=0), max(counts, default=0), len(findings.seeds)
    of = f" of {every}" if most < every else ""
    if most == 1:
        yield f"One dense network{of} in each cell: there is no spread over seeds, and nothing is told apart."
    elif 0 < most < FEWEST:
        yield f"With {plural(most, 'seed')}{of} nothing is told apart, and deviations cannot be trusted."
    elif most:
        if fewest < FEWEST:
            few = sum(count < FEWEST for count in counts)
            yield f"{few} of {plural(len(counts), 'cell')} have fewer than {FEWEST} seeds: nothing is told apart there."
        if most < FEW_SEEDS:
            yield (
                f"With fewer than {FEW_SEEDS} seeds (here {most}{of}) intervals are wide: what is not told apart need "
                "not be alike."
            )


def _best(findings: RegimeFindings) -> Iterator[str]:
    """Where the best temperature of each load lies."""
    if len(findings.temperature.values) < 2:
        return
    by: dict[float, list[float]] = {}
    lacking: list[float] = []
    for load in findings.load.values:
        best = findings.best(load)
        if best is not None:
            by.setdefault(best.temperature, []).append(load)
        elif any(cell.errors() for cell in findings.column(load)):
            lacking.append(load)
    if by:
        told = [
            f"{words.temperature_name(findings.temperature, hot)} at {words.load_names(findings.load, by[hot])}"
            for hot in findings.temperature.values
            if hot in by
        ]
        yield f"Lowest test error: {listed(told)}. Chosen on test data, to describe the diagram, not to choose by."
    if lacking:
        seeds = (
            "too few seeds have an error in every cell" if len(findings.seeds) > 1 else "not every cell has an error"
        )
        yield f"No temperature is called the best at {words.load_names(findings.load, lacking)}: {seeds}."


def _regimes(findings: RegimeFindings) -> Iterator[str]:
    counts = Counter(cell.regime for cell in findings.cells if cell.regime is not None)
    if not counts:
        return
    told = [f"{counts[name]} in {name} ({meaning})" for name, meaning in words.REGIMES.items()]
    known, every = sum(counts.values()), len(findings.cells)
    of = f"Of {plural(every, 'cell')} {known} have a regime: " if known < every else f"Of {plural(every, 'cell')}, "
    t = findings.terms
    whose = ", P4's line" if t.threshold == POORLY_CONNECTED else f" (P4: {words.hundredths(POORLY_CONNECTED)})"
    yield (
        f"{of}{listed(told)}. Regime I: LMC below {words.hundredths(t.threshold)}{whose}. II-B: CKA from "
        f"{words.hundredths(t.similar_from)} on; this line is ours, P4 sees a smooth transition and draws none."
    )
    torn = [cell for cell in findings.cells if cell.regime and set(cell.regimes.values()) != {cell.regime}]
    if torn:
        yield f"In {plural(len(torn), 'cell')} not all seeds are in the regime that the cell's means are in."


def _guessing(findings: RegimeFindings) -> Iterator[str]:
    cells = [cell for cell in findings.cells if cell.guesses]
    if cells and not findings.at_chance:
        yield (
            f"Hardly better than guessing after retraining, and so without a regime (copies that have learned nothing "
            f"are well connected): {_places(findings, cells)}."
        )


def _lost(findings: RegimeFindings) -> Iterator[str]:
    cells = [cell for cell in findings.cells if cell.diverged]
    if cells:
        copies, every = sum(cell.diverged for cell in cells), sum(cell.planned[0] for cell in findings.cells)
        yield (
            f"{copies} of {plural(every, 'copy').replace('copys', 'copies')} diverged and took no part in any mean: "
            f"{_places(findings, cells)}."
        )


def _undefined(findings: RegimeFindings) -> Iterator[str]:
    cells = [cell for cell in findings.cells if cell.undefined]
    if cells:
        yield f"CKA is not defined for some pairs ({cells[0].undefined}): {_places(findings, cells)}."


def _emptied(findings: RegimeFindings) -> Iterator[str]:
    cells = [cell for cell in findings.cells if cell.empty_layers]
    if cells:
        layers = list(dict.fromkeys(layer for cell in cells for layer in cell.empty_layers))
        seeds = sorted({seed for cell in cells for own in cell.empty_layers.values() for seed in own})
        yield f"Layer collapse: no weight is left in {some(layers)}: {_places(findings, cells)} ({seed_list(seeds)})."


def _places(findings: RegimeFindings, cells: Sequence[Cell]) -> str:
    """Which cells, load by load."""
    by: dict[float, list[str]] = {}
    for cell in cells:
        by.setdefault(cell.load, []).append(words.temperature_value(cell.temperature))
    told = [
        f"{words.load_name(findings.load, load)} ({findings.temperature.name.replace('_', ' ')} "
        + (listed(hot) if len(hot) <= NAMED else f"{hot[0]} to {hot[-1]}, {len(hot)} cells")
        + ")"
        for load, hot in by.items()
    ]
    return "; ".join(told[:NAMED]) + (f"; and at {len(told) - NAMED} more loads" if len(told) > NAMED else "")


def dense(findings: RegimeFindings) -> list[str]:
    """The dense networks' errors at the ends of the temperatures, in a sentence; none where they are not known."""
    load = findings.load.values[0]
    loads = findings.load.values if findings.load.name == "density" else (load,)  # all densities have one dense network
    rows = [[findings.cell(hot, each) for each in loads] for hot in findings.temperature.values]
    most = [max(row, key=lambda cell: spread.n if (spread := cell.dense_error()) else 0) for row in rows]
    column = [(cell, error) for cell in most if (error := cell.dense_error()) is not None]
    if not column:
        return []
    shown = column if len(column) < 3 else [column[0], column[-1]]
    told = [
        f"{percent(error)} at {words.temperature_name(findings.temperature, cell.temperature)}" for cell, error in shown
    ]
    at = "" if findings.load.name == "density" else f" ({words.load_name(findings.load, load)})"
    return [f"Test error of the dense networks that were pruned{at}: {listed(told)}."]
