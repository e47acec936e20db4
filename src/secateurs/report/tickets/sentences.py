"""The findings of a study of tickets in sentences: plain, short, and no kinder than the numbers.

The page and the terminal say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from secateurs.report.chance import against
from secateurs.report.methods.compared import FEWEST
from secateurs.report.regret import FEW_SEEDS
from secateurs.report.tickets import stability_told, standings, words
from secateurs.report.tickets.courses import Dilation, Speed, dilations, speeds
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.rows import DENSE
from secateurs.report.words import percent, plural, seed_list

NAMED = 6
"""So many runs are named in a sentence."""

MORE: tuple[Callable[[TicketFindings], Iterable[str]], ...] = (stability_told.sentences,)
"""Sentences of chapter 4, after those of chapter 3; not asked for where the dense networks are at chance."""


def summary(findings: TicketFindings) -> list[str]:
    """The findings as a few sentences, the most important first."""
    judged = findings.has_results and not findings.at_chance
    return [
        *_unknown(findings),
        *_chance(findings),
        *_seeds(findings),
        *(standings.sentences(findings) if judged else ()),
        *_dense(findings),
        *((*_stops(findings), *_dilations(findings)) if not findings.at_chance else ()),
        *(sentence for more in MORE if not findings.at_chance for sentence in more(findings)),
        *_emptied(findings),
        *_lost(findings),
    ]


def _unknown(findings: TicketFindings) -> Iterator[str]:
    if findings.tickets and not findings.has_results:
        yield "No pruned network has a result yet."


def _chance(findings: TicketFindings) -> Iterator[str]:
    dense = findings.dense()
    if findings.at_chance and dense is not None:
        guessing = findings.study.chance[findings.setting]
        said = "no accuracy here says anything about pruning"
        yield f"The dense networks are hardly better than chance ({against(dense.mean, guessing)}): {said}."


def _seeds(findings: TicketFindings) -> Iterator[str]:
    count = len(findings.seeds)
    if count == 1:
        yield "One seed: there is no spread, nothing is told apart, and what matches may do so by luck."
    elif count < FEWEST:
        yield f"Only {plural(count, 'seed')}: nothing is told apart, and deviations cannot be trusted."
    elif count < FEW_SEEDS:
        yield f"With fewer than {FEW_SEEDS} seeds (here {count}) the intervals say little: they come out too narrow."


def _dense(findings: TicketFindings) -> Iterator[str]:
    dense = findings.dense()
    if dense is not None:
        over, steps = plural(dense.n, "seed"), f"{findings.steps:,} steps"
        yield f"The dense networks reach {percent(dense)} on the test set after {steps} ({over})."


def _stops(findings: TicketFindings) -> Iterator[str]:
    """Early stopping at the levels at which IMP matches, against dense (P2 section 3.3.6)."""
    found = speeds(findings)
    dense = next((each for each in found if each.cell.ticket == DENSE), None)
    own = [each for each in found if each.cell.ticket == findings.imp and each.cell.matching]
    if dense is None or not own:
        return
    top, fewest = _mean(dense), min(own, key=_mean)
    sooner = [each for each in own if _mean(each) <= top]
    said = "all" if len(sooner) == len(own) else f"{len(sooner)}" if sooner else "none"
    yield (
        f"Validation loss is lowest at step {top:,.0f} for dense. Of the {plural(len(own), 'level')} at which "
        f"{findings.imp} matches, {said} get there no later; soonest at {words.left(fewest.cell.density)}, "
        f"step {_mean(fewest):,.0f}."
    )


def _mean(each: Speed) -> float:
    return sum(each.steps) / len(each.steps)


def _dilations(findings: TicketFindings) -> Iterator[str]:
    found = dilations(findings)
    dense = next((each for each in found if each.ticket == DENSE), None)
    if not any(each.level for each in found):
        return
    if dense is not None:
        yield f"Dense matches itself from a dilation of δ* = {words.least(dense)} on."
    for name in findings.tickets:
        own = [each for each in found if each.ticket == name and each.level]
        if own:
            yield f"{name}: {_dilated(own, dense)}."


def _dilated(own: Sequence[Dilation], dense: Dilation | None) -> str:
    known = [each for each in own if each.spread is not None]
    if not known:
        return "matches at no dilation, at any level on every seed"
    least = min(known, key=lambda each: each.spread.mean if each.spread else 0.0)
    said = f"least dilation δ* = {words.least(least)}, at {words.left(least.density)}"
    limit = dense.spread.mean if dense is not None and dense.spread is not None else None
    if limit is not None:
        within = [each.density for each in known if each.spread is not None and each.spread.mean <= limit + 1e-9]
        told = words.spans(within, [each.density for each in own])
        said += f"; at most what dense needs {told}" if within else "; more than dense needs everywhere"
    never = [each.density for each in own if each.never]
    tried = [each.density for each in own]
    return said + (f"; {words.spans(never, tried)} it matches at no factor on some seed" if never else "")


def _emptied(findings: TicketFindings) -> Iterator[str]:
    """Layers without any weight left, one sentence per ticket."""
    for name in findings.tickets:
        cells = [cell for cell in findings.cells if cell.ticket == name and cell.empty_layers]
        if cells:
            layers = list(dict.fromkeys(layer for cell in cells for layer in cell.empty_layers))
            seeds = sorted({seed for cell in cells for own in cell.empty_layers.values() for seed in own})
            densities = list(dict.fromkeys(sorted((cell.density for cell in cells), reverse=True)))
            where = words.several(densities[:NAMED]) + (" and below" if len(densities) > NAMED else "")
            yield f"Layer collapse: {name} leaves no weight in {_some(layers)}, at {where} ({seed_list(seeds)})."


def _lost(findings: TicketFindings) -> Iterator[str]:
    if findings.diverged:
        took = "took no part in any mean"
        yield f"{plural(len(findings.diverged), 'run')} diverged and {took}: {_some(findings.diverged, '; ')}."
    if findings.missing:
        yield f"{plural(len(findings.missing), 'run')} without a result: {_some(findings.missing, '; ')}."


def _some(items: Sequence[str], between: str = ", ") -> str:
    """So many as one can read; the tables have them all."""
    more = len(items) - NAMED
    return between.join(items[:NAMED]) + (f"{between}and {more} more, in the table of runs" if more > 0 else "")
