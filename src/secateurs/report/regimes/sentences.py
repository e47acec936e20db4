"""The findings of a study of regimes in sentences: plain, short, and no kinder than the numbers.

The page and the terminal say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from secateurs.core.regimes import POORLY_CONNECTED
from secateurs.report.chance import against
from secateurs.report.methods.compared import FEWEST
from secateurs.report.regimes import applied, words
from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.claims import Change, Tally, Way, by_regime, directions, moves, steps
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regret import FEW_SEEDS
from secateurs.report.student import by_chance
from secateurs.report.words import NAMED, listed, number_of, percent, plural, seed_list, signed, some


def summary(findings: RegimeFindings) -> list[str]:
    """The findings as a few sentences, the most important first."""
    judged = findings.has_results and not findings.at_chance
    return [
        *_unknown(findings),
        *_chance(findings),
        *_seeds(findings),
        *((*_claims(findings), *_directions(findings), *_order(findings)) if judged else ()),
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
        none = sum(not cell.errors() for cell in waiting)
        said = f"The study is not finished: {len(waiting)} of {plural(len(findings.cells), 'cell')} wait for results"
        yield f"{said}, {none} of them have no error yet. All that follows may change."


def _chance(findings: RegimeFindings) -> Iterator[str]:
    if findings.at_chance:
        errors = [error.mean for cell in findings.cells if (error := cell.dense_error()) is not None]
        told = against(1 - min(errors), findings.terms.chance or 0.0)
        said = "nothing here says anything about pruning"
        yield f"Even the best dense networks are hardly better than chance (accuracy {told}): {said}."


def _seeds(findings: RegimeFindings) -> Iterator[str]:
    fewest, every = findings.fewest, len(findings.seeds)
    of = f" of {every}" if fewest < every else ""
    if fewest == 1:
        one = f"Some cells are of one dense network{of}: for them" if of else "One dense network in each cell:"
        yield f"{one} there is no spread over seeds, and nothing is told apart."
    elif 0 < fewest < FEWEST:
        yield f"With {plural(fewest, 'seed')}{of} nothing is told apart, and deviations cannot be trusted."
    elif 0 < fewest < FEW_SEEDS:
        yield (
            f"With fewer than {FEW_SEEDS} seeds (here {fewest}{of}) intervals are wide: what is not told apart need "
            "not be alike."
        )


_CLAIMS: dict[Way, str] = {
    "hotter": "that poorly connected networks (Regime I) gain from a higher temperature",
    "colder": "that well connected networks (Regime II) gain from a lower temperature",
}

_VERDICTS = {
    "shows": "shows here",
    "partly": "shows at some places here and is reversed at others",
    "does not show": "does not show here",
    "reverse": "does not show here: the reverse does",
    "": "cannot be judged here: too few seeds",
}


def _claims(findings: RegimeFindings) -> Iterator[str]:
    """P4's main claim, one sentence for each way; nothing where copies are not compared."""
    if not findings.compared:
        yield "Copies were not compared, so regimes are not known."
        return
    if len(findings.temperature.values) < 2:
        yield "One temperature only: nothing here says which way it should go."
        return
    whole, near = moves(findings), steps(findings)
    for way, claim in _CLAIMS.items():
        own, close = ([each for each in changes if each.way == way] for changes in (whole, near))
        if not close and not own:
            where = "Regime I" if way == "hotter" else "Regime II at two temperatures of a load"
            yield f"P4's claim {claim} cannot be judged: no cell is in {where}, or nothing is known beside it."
            continue
        tallies = [Tally.of(changes) for changes in (own, close)]
        told = tallies[0] if tallies[0].count else tallies[1]
        parts = [part for part in (_whole(findings, way, own), _near(way, close)) if part]
        yield f"P4's claim {claim} {_VERDICTS[told.verdict]}. {' '.join(parts)}"


def _whole(findings: RegimeFindings, way: Way, own: Sequence[Change]) -> str:
    if not own:
        return ""
    tally, end = Tally.of(own), "the nearest one out of Regime I (else to the hottest)"
    route = (
        f"From the coldest temperature to {end}"
        if way == "hotter"
        else "From the hottest to the coldest well connected"
    )
    what = f"{route}, test error falls at {tally.helped} of {plural(tally.count, 'load')}"
    change = max(own, key=lambda each: abs(each.difference.mean))
    most = f"most at {words.load_name(findings.load, change.start.load)}, by {signed(change.difference.mean)} points"
    return f"{what} ({_apart(tally)}); it changes {most}."


def _near(way: Way, close: Sequence[Change]) -> str:
    if not close:
        return ""
    tally = Tally.of(close)
    step = (
        "the next hotter temperature, from each cell in Regime I"
        if way == "hotter"
        else "the next colder one in Regime II"
    )
    return f"To {step}, it falls in {tally.helped} of {plural(tally.count, 'step')} ({_apart(tally)})."


def _apart(tally: Tally) -> str:
    if tally.seeds < FEWEST:
        return "none told apart"
    chance = f"by chance about {number_of(round(by_chance(tally.count), 1))} of {tally.count} would be"
    return f"told apart: {tally.helps} to fall, {tally.harms} to rise; {chance}"


def _directions(findings: RegimeFindings) -> Iterator[str]:
    found = directions(findings)
    if len(found) < 2:
        return
    right = [each for each in found if each.raises == each.best_is_hotter]
    missed = [each.load for each in found if each.raises != each.best_is_hotter]
    but = f"; not so at {words.load_names(findings.load, missed)}" if missed else ""
    constant = max(sum(each.best_is_hotter for each in found), sum(not each.best_is_hotter for each in found))
    yield (
        f"LMC at the coldest temperature tells whether a hotter one has lower test error at {len(right)} of "
        f"{len(found)} loads{but}. Saying the same of every load would be right at {constant}. Which temperature is "
        "best is judged by the mean, without regard to noise."
    )


def _order(findings: RegimeFindings) -> Iterator[str]:
    """P4 section 3.2: II-A is better than I, II-B better than II-A."""
    found = by_regime(findings) if len(findings.temperature.values) > 1 else {}
    if len(found) < 2:
        return
    told = [f"{signed(spread.mean)} in {name} ({plural(spread.n, 'cell')})" for name, spread in found.items()]
    means = [spread.mean for spread in found.values()]
    falls = all(one > other for one, other in pairwise(means))
    said = "the order that P4 describes" if falls else "not the order that P4 describes (I worst, II-B best)"
    yield f"Test error above the best of the same load, mean over cells, in points: {listed(told)}. That is {said}."


def _best(findings: RegimeFindings) -> Iterator[str]:
    """Where the best temperature of each load lies."""
    by: dict[float, list[float]] = {}
    for load in findings.load.values:
        best = findings.best(load)
        if best is not None:
            by.setdefault(best.temperature, []).append(load)
    if not by or len(findings.temperature.values) < 2:
        return
    order = [each for each in findings.temperature.values if each in by]
    told = [
        f"{words.temperature_name(findings.temperature, hot)} at {words.load_names(findings.load, by[hot])}"
        for hot in order
    ]
    why = "These are chosen on test data, to describe the diagram, not to choose by"
    yield f"Lowest test error: {listed(told)}. {why}."


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
        by.setdefault(cell.load, []).append(words.temperature_value(findings.temperature, cell.temperature))
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
    column = [(cell, error) for cell in findings.column(load) if (error := cell.dense_error()) is not None]
    if not column:
        return []
    shown = column if len(column) < 3 else [column[0], column[-1]]
    told = [
        f"{percent(error)} at {words.temperature_name(findings.temperature, cell.temperature)}" for cell, error in shown
    ]
    at = "" if findings.load.name == "density" else f" ({words.load_name(findings.load, load)})"
    return [f"Test error of the dense networks that were pruned{at}: {listed(told)}."]
