"""Algorithm 1 of P4 (section 4.1, figures 3 and 15): whether to raise the temperature of dense training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secateurs.report.overview import Row
from secateurs.report.regimes import regrets_tables as tables
from secateurs.report.regimes import regrets_told as told
from secateurs.report.regimes import words
from secateurs.report.regimes.choices import Way
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.paired import chance, judged_by
from secateurs.report.regimes.regrets import Judged
from secateurs.report.regimes.tuned import Answer, algorithms, answers, moments, tuned
from secateurs.report.tickets.grid import Grid, Line
from secateurs.report.words import NOTHING, SPACE, number_of, plural

ASKED = "temperature tuning"
"""What it is called in the CSV files."""


def sentences(found: RegimeFindings) -> Iterator[str]:
    """Whether Algorithm 1's answers were right, and what they cost."""
    of = tuned(found)
    if of is None or found.terms.tuning is None:
        return
    cold, hot = (words.temperature_name(found.temperature, each) for each in found.terms.tuning)
    yield from _effects(found, answers(found, of, algorithms(of)[0]), f"from {cold} to {hot}")
    for way in algorithms(of):
        yield from _rights(way, answers(found, of, way))
    own = [way for way in of.ways if way is not of.grid]
    yield from told.against_grid(found, of, own, between=" between the two temperatures")
    yield from _costs(found, of)
    guessing = [each.load for each in answers(found, of, algorithms(of)[0]) if each.guesses]
    if guessing:
        yield (
            f"At {words.load_names(found.load, guessing)} networks are hardly better than chance at the initial "
            "temperature: copies that learned nothing are well connected, and LMC says nothing there."
        )
    yield from told.lost(of)


def _effects(found: RegimeFindings, every: Sequence[Answer], how: str) -> Iterator[str]:
    """What raising the temperature does, whatever the algorithm says."""
    intervals = judged_by(each.paired for each in every)
    if not intervals:
        return
    told = [
        f"{what} the test error at {words.load_names(found.load, loads)}"
        for what, helps in (("lowers", True), ("raises", False))
        if (loads := [each.load for each in every if each.helps is helps])
    ]
    if told:
        said = f"{' and '.join(told)}, by intervals that leave out 0 ({chance(intervals)})"
    else:
        said = f"changes the test error at no load by an interval that leaves out 0 ({chance(intervals)})"
    yield f"Raising the temperature {how} {said}."


def _rights(way: Way, every: Sequence[Answer]) -> Iterator[str]:
    """In how many choices the algorithm's answer was the better one, and where that is more than noise."""
    count, right = sum(each.answered for each in every), sum(each.right for each in every)
    if not count:
        return
    raising = sum(each.right_to_raise for each in every)
    said = (
        f"{way.name}: its answer is the better one in {right} of {plural(count, 'choice')} (one a load and seed), "
        f"where never raising would be in {count - raising}, and always raising in {raising}"
    )
    apart = [each for each in every if each.answered and each.helps is not None]
    good = sum(each.verdict == "right" for each in apart)
    if apart:
        yield f"{said}; of the {plural(len(apart), 'load')} at which it is told which is better, right at {good}."
    else:
        yield f"{said}; at no load is it told which answer is better."


def _costs(found: RegimeFindings, of: Judged) -> Iterator[str]:
    """Epochs of dense training and of retraining, for one load and seed."""
    parts = []
    for way in of.ways:
        dense, again = told.mean_of(of, way, "dense"), told.mean_of(of, way, "retraining")
        if dense is not None and again is not None:
            parts.append(f"{way.name} {number_of(dense)} + {number_of(again)}")
    if not parts:
        return
    shared = "; both temperatures are stops of one dense run" if found.temperature.name == "epochs" else ""
    passes = told.passes(of, algorithms(of))
    yield (
        f"Epochs of dense training + of retraining for one load and seed, in the mean{told.over(of)}: "
        f"{'; '.join(parts)}{shared}.{'' if passes is None else f' {passes}.'}"
    )


def grids(found: RegimeFindings) -> Iterator[Grid]:
    """The answers, load by load, and the ways against each other."""
    of = tuned(found)
    if of is None or found.terms.tuning is None:
        return
    cold, hot = (words.temperature_name(found.temperature, each) for each in found.terms.tuning)
    columns = (
        *(found.load.name, f"LMC at {cold}", f"error at {cold}, %", f"error at {hot}, %", "change, points"),
        *("raised on", "better answer on", "told by the interval"),
    )
    parts = tuple(
        (way.name if len(algorithms(of)) > 1 else "", tuple(_line(found, each) for each in answers(found, of, way)))
        for way in algorithms(of)
    )
    note = (
        f"Algorithm 1 raises the temperature where LMC is below {words.hundredths(found.terms.threshold)}; it decides "
        "for each seed by the first pair of copies, and what is shown of LMC is the mean of all. Better answer: to "
        "raise where that lowers the error of the seed. Change: with Student's 95 % interval of the mean over seeds; "
        "where that leaves out 0, it tells whether the answer was right."
    )
    yield Grid("tuning", "Algorithm 1: whether to raise the temperature", columns, parts, note, text=1)
    costs = (
        "A choice comes to the mean test error of all copies after the whole retraining. Grid search retrains at both "
        "temperatures, and takes the lower validation error. Where LMC is taken at the end of retraining, two copies "
        "are retrained in full, one of which is the result when the temperature stays. Copies that are retrained for a "
        "few epochs only are charged beside the whole retraining, though one of them could go on."
    )
    yield tables.grid(found, of, "tuning-regret", "Algorithm 1 against grid search", costs, dense=True)


def _line(found: RegimeFindings, each: Answer) -> Line:
    seeds = len(each.raises)
    return Line(
        words.load_name(found.load, each.load),
        (
            words.spread_of(each.lmc),
            *(NOTHING if error is None else words.tenths(error.mean) for error in (each.initial, each.raised)),
            told.difference_of(each.paired),
            f"{sum(each.raises.values())} of {plural(seeds, 'seed')}".replace(" ", SPACE) if seeds else NOTHING,
            f"{each.right} of {each.answered}".replace(" ", SPACE) if each.answered else NOTHING,
            each.verdict,
        ),
    )


def caption(found: RegimeFindings) -> str:
    """What stands below the figure."""
    if found.terms.tuning is None:
        return ""
    cold, hot = (words.temperature_name(found.temperature, each) for each in found.terms.tuning)
    advice = f"Algorithm 1 says to {words.raise_it(found.temperature)}"
    return (
        f"LMC {words.when(found.terms, moments(found)[0])} at {cold}, mean over seeds; black boxes: below "
        f"{words.hundredths(found.terms.threshold)} (dotted), where {advice}. Test error there and at {hot}. Bars: one "
        "standard deviation over seeds."
    )


def choice_rows(found: RegimeFindings) -> Iterator[Row]:
    """Every choice, for the CSV file."""
    return tables.choice_rows(found, tuned(found), ASKED)


def regret_rows(found: RegimeFindings) -> Iterator[Row]:
    """Every regret, for the CSV file."""
    return tables.regret_rows(found, tuned(found), ASKED)


ANSWERS = (
    *("setting", "load", "way", "seeds", "lmc_mean", "lmc_sd", "initial_error_mean", "raised_error_mean"),
    *("change_mean", "change_sd", "change_low", "change_high", "raised_on", "better_on", "answered", "told", "guesses"),
)
"""Columns of the table of answers."""


def answer_rows(found: RegimeFindings) -> Iterator[Row]:
    """Every answer, for the CSV file."""
    of = tuned(found)
    for way in algorithms(of) if of is not None else ():
        for each in answers(found, of, way) if of is not None else ():
            low, high = each.interval or (None, None)
            initial, raised = (None if e is None else e.mean for e in (each.initial, each.raised))
            yield {
                **{"setting": found.setting, "load": each.load, "way": way.name, "seeds": len(each.changes)},
                **tables.spread("lmc", each.lmc),
                **{"initial_error_mean": initial, "raised_error_mean": raised},
                **tables.spread("change", each.change),
                **{"change_low": low, "change_high": high, "raised_on": sum(each.raises.values())},
                **{"better_on": each.right, "answered": each.answered, "told": each.verdict, "guesses": each.guesses},
            }
