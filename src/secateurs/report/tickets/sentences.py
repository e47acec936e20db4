"""The findings of a study of tickets in sentences: plain, short, and no kinder than the numbers.

The page and the terminal say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from secateurs.report.chance import against
from secateurs.report.methods.compared import FEWEST
from secateurs.report.regret import FEW_SEEDS
from secateurs.report.tickets import stability_told, standings, words
from secateurs.report.tickets.courses import Dilation, Speed, dilations, speeds
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.rows import DENSE
from secateurs.report.words import NAMED, lost, percent, plural, seed_list, some


def summary(findings: TicketFindings) -> list[str]:
    """The findings as a few sentences, the most important first."""
    judged = findings.has_results and not findings.at_chance
    return [
        *_unknown(findings),
        *_chance(findings),
        *_seeds(findings),
        *(standings.sentences(findings) if judged else ()),
        *_dense(findings),
        *((*_stops(findings), *_dilations(findings)) if judged else ()),
        *(stability_told.sentences(findings) if not findings.at_chance else ()),
        *_emptied(findings),
        *lost(findings.diverged, findings.missing),
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
    fewest, every = findings.fewest, len(findings.seeds)
    of = f" of {every}" if fewest < every else ""
    if fewest == 1:
        one = f"Some results are of one seed{of}: for them" if of else "One seed:"
        yield f"{one} there is no spread, nothing is told apart, and what matches may do so by luck."
    elif 0 < fewest < FEWEST:
        few = plural(fewest, "seed")
        some = f"Some results are of {few}{of}: by them" if of else f"Only {few}:"
        yield f"{some} nothing is told apart, and deviations cannot be trusted."
    elif 0 < fewest < FEW_SEEDS:
        yield (
            f"With fewer than {FEW_SEEDS} seeds (here {fewest}{of}) intervals are wide: what is not told apart need "
            "not be alike."
        )


def _dense(findings: TicketFindings) -> Iterator[str]:
    dense = findings.dense()
    if dense is not None:
        every, steps = len(findings.seeds), f"{findings.steps:,} steps"
        over = f"{dense.n} of {plural(every, 'seed')}" if dense.n < every else plural(every, "seed")
        yield f"The dense networks reach {percent(dense)} on the test set after {steps} ({over})."


def _stops(findings: TicketFindings) -> Iterator[str]:
    """Early stopping at the levels at which IMP matches, against dense of the same seeds (P2 section 3.3.6).

    Nothing where the learning rate falls: then the step says when it does.
    """
    found = speeds(findings)
    dense = next((each for each in found if each.cell.ticket == DENSE), None)
    if dense is None or not findings.study.constant_rate:
        return
    own = [each for each in found if each.cell.ticket == findings.imp and each.cell.matching]
    later = [(each.cell.density, waits) for each in own if (waits := _later(each, dense))]
    if not later:
        return
    if dense.falling:
        falling = sum(each.falling for each in own)
        too = "all" if falling == len(own) else f"{falling}" if falling else "none"
        yield (
            f"Validation loss of dense is still falling at the end, step {fmean(dense.steps):,.0f}: no network can be "
            f"later. Of the {plural(len(own), 'level')} at which {findings.imp} matches, {too} still fall there, too."
        )
        return
    sooner = sum(fmean(waits) <= 0 for _, waits in later)
    said = "all" if sooner == len(later) else f"{sooner}" if sooner else "none"
    density, least = min(((density, fmean(waits)) for density, waits in later), key=lambda each: each[1])
    seeds = plural(min(len(waits) for _, waits in later), "seed")
    how = f"{abs(least):,.0f} steps {'before' if least < 0 else 'after'} it" if round(least) else "at the same step"
    yield (
        f"Validation loss is lowest at step {fmean(dense.steps):,.0f} for dense. Of the {plural(len(later), 'level')} "
        f"at which {findings.imp} matches, {said} get there no later than dense of the same seeds in the mean "
        f"({seeds}); soonest at {words.left(density)}, {how}."
    )


def _later(own: Speed, dense: Speed) -> list[int]:
    """How many steps later than dense a network is at its lowest validation loss, seed by seed."""
    return [stop.step - dense.stops[seed].step for seed, stop in own.stops.items() if seed in dense.stops]


def _dilations(findings: TicketFindings) -> Iterator[str]:
    found = dilations(findings)
    dense = next((each for each in found if each.ticket == DENSE), None)
    if not any(each.level for each in found):
        return
    yield (
        "The least dilation δ* is chosen on test accuracy, seed by seed: each network against the dense one of its "
        f"seed ({plural(min(len(each.by_seed) for each in found), 'seed')})."
    )
    if dense is not None:
        yield f"Dense matches itself at δ* = {words.least(dense)}."
    for name in findings.tickets:
        own = [each for each in found if each.ticket == name and each.level]
        if own:
            yield f"{name}: {_dilated(own, dense)}."


def _dilated(own: Sequence[Dilation], dense: Dilation | None) -> str:
    known = [(each.density, each.spread.mean) for each in own if each.spread is not None]
    tried = [each.density for each in own]
    if not known:
        return "matches at no dilation, at any level on every seed"
    density, _ = min(known, key=lambda each: each[1])
    least = next(each for each in own if each.density == density)
    said = f"least dilation δ* = {words.least(least)}, at {words.left(density)}"
    if dense is not None and dense.spread is not None:
        limit = dense.spread.mean + 1e-9
        within = [density for density, mean in known if mean <= limit]
        told = f"; at most what dense needs {words.spans(within, tried)}"
        said += told if within else "; more than dense needs everywhere"
    never = [each.density for each in own if each.never]
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
            yield f"Layer collapse: {name} leaves no weight in {some(layers)}, at {where} ({seed_list(seeds)})."
