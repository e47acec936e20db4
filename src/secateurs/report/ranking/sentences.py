"""What the ranking found, in sentences: plain, short, and no kinder than the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secateurs.report.ranking import words
from secateurs.report.ranking.sides import DEFAULT, Side
from secateurs.report.ranking.standing import Standing, difference
from secateurs.report.regret import FEW_SEEDS
from secateurs.report.words import listed, plural

FEW_SETTINGS = 5
"""Below this many settings an interval over settings says little."""


def summary(side: Side) -> list[str]:
    """What one side's ranking says, the most important first.

    Where triggers are judged the first sentences are about one that was settled elsewhere, and its
    difference to a fixed moment that was, too; nothing that is the best of a table is compared with
    anything without the word that it was picked on these very data.
    """
    known = [each for each in side.standings if each.regret is not None]
    if not known:
        return ["No trigger has a regret here yet.", *_lost(side)]
    lead = side.standing(side.lead)
    said = [_first(known[0], side)]
    if lead is not None:
        said = [_lead(lead, side), *_against_fixed(lead, side), *_others(lead, known), *said]
    said += [*_from_zero(known), *_silent(side.standings), *_lost(side), *_caution(side)]
    return said


def _lead(lead: Standing, side: Side) -> str:
    what = (
        "" if lead.trigger == DEFAULT else ", which did best of those that read a signal on the settings to choose on,"
    )
    zero = "no interval, so it cannot be told from 0"
    if lead.interval is not None:
        zero = "told from 0" if lead.told_from_zero else "not told from 0"
    return f"“{lead.trigger}”{what} has {_over(_points(lead), lead, side)}: {zero}{_dense(lead)}."


def _against_fixed(lead: Standing, side: Side) -> Iterator[str]:
    """What measuring is worth against the fixed moment that one would have taken."""
    fixed = side.standing(side.fixed)
    if fixed is None or fixed.trigger == lead.trigger:
        return
    mean, interval = difference(fixed, lead)
    if mean is None:
        return
    verdict = "which settles nothing"
    if interval is not None and interval[0] > 0:
        verdict = f"so “{lead.trigger}” does better"
    elif interval is not None and interval[1] < 0:
        verdict = f"so “{lead.trigger}” does worse"
    yield (
        f"The fixed moment that did best on the settings to choose on, by validation accuracy, is “{fixed.trigger}”. "
        f"Its regret minus that of “{lead.trigger}”, on the same runs: {words.with_interval(mean, interval)} points, "
        f"{verdict}."
    )


def _others(lead: Standing, known: Sequence[Standing]) -> Iterator[str]:
    """Which others are told apart from the one that was settled elsewhere."""
    found = [(each, difference(each, lead)[1]) for each in known if each is not lead]
    judged = [(each, interval) for each, interval in found if interval is not None]
    if not judged:
        return
    worse = [each for each, interval in judged if interval[0] > 0]
    better = [each for each, interval in judged if interval[1] < 0]
    parts = [
        f"{_names(some)} {'loses' if len(some) == 1 else 'lose'} {how}"
        for some, how in ((worse, "more"), (better, "less"))
        if some
    ]
    if not parts:
        yield "No other trigger is told apart from it."
        return
    rest = "" if len(worse) + len(better) == len(judged) else "; the rest are not told apart from it"
    yield (
        f"Of the others {' and '.join(parts)}, beyond the interval of the difference{rest}. Each is set against it by "
        "itself, without a correction for their number."
    )


def _first(first: Standing, side: Side) -> str:
    if side.to_choose:
        validation = f"{words.validation(first)} points of regret on validation data"
        return (
            f"On validation data “{first.trigger}” loses least: {_over(validation, first, side)}; on test data "
            f"{words.regret(first)}{_dense(first)}. It was picked on these very data, which flatters it."
        )
    return (
        f"“{first.trigger}” has the least regret in this table: {_over(_points(first), first, side)}{_dense(first)}. "
        "It was picked on these very data, which flatters it."
    )


def _points(standing: Standing) -> str:
    return f"{words.regret(standing)} points of regret"


def _over(said: str, standing: Standing, side: Side) -> str:
    of = f" of {len(side.found)}" if standing.settings < len(side.found) else ""
    return f"{said} over {plural(standing.settings, 'setting')}{of}"


def _dense(standing: Standing) -> str:
    if standing.share is None:
        return ""
    return f"; it trains {words.part(standing.share)} of the run densely, in the mean"


def _from_zero(known: Sequence[Standing]) -> Iterator[str]:
    judged = [each for each in known if each.interval is not None]
    if not judged:
        yield "No trigger has a regret in two settings, so none can be told from 0."
        return
    told = [each for each in judged if each.told_from_zero]
    close = [each for each in judged if not each.told_from_zero]
    below = [each for each in told if each.interval is not None and each.interval[1] < 0]
    if not told:
        yield "No trigger's regret can be told from 0: every interval contains it."
    elif not close:
        yield "Every trigger's regret can be told from 0."
    elif len(close) > len(told):
        yield f"Only the regret of {_names(told)} can be told from 0."
    else:
        yield f"The regret of {_names(close)} cannot be told from 0."
    if below:
        yield f"{_names(below)} did better than the best moment of the grid, beyond the interval."


def _silent(known: Sequence[Standing]) -> Iterator[str]:
    for each in known:
        if each.never:
            said = "it is charged the end of the run there"
            if each.uncharged:
                said = f"what that costs is not known on {each.uncharged}, for want of a run pruned at the end"
            yield f"“{each.trigger}” never fired on {each.never} of {words.runs(each.runs)}: {said}."
    bound = [f"“{each.trigger}” on {each.bound} of {words.runs(each.runs)}" for each in known if each.bound]
    if bound:
        yield f"Only the bound fired, not the signal: {'; '.join(bound)}."


def _lost(side: Side) -> Iterator[str]:
    diverged = sum(len(findings.diverged) for findings in side.found)
    missing = sum(len(findings.missing) for findings in side.found)
    if diverged:
        yield f"{plural(diverged, 'run')} diverged and took no part in any mean."
    if missing:
        verb = "has" if missing == 1 else "have"
        yield f"{words.runs(missing)} {verb} no result: what stands here is not the whole study."
    counts = {each.settings for each in side.standings}
    if len(counts) > 1:
        yield "Not every trigger can be judged in every setting; those judged in fewer stand below."


def _caution(side: Side) -> Iterator[str]:
    fewest = min(len(findings.seeds) for findings in side.found)
    if fewest < FEW_SEEDS:
        yield f"With fewer than {FEW_SEEDS} seeds (here {fewest}) an interval within one setting says little."
    if len(side.found) < 2:
        yield "1 setting only: there is no interval over settings."
    elif len(side.found) < FEW_SETTINGS:
        yield f"{plural(len(side.found), 'setting')} only: an interval over settings says little about others."


def _names(standings: Sequence[Standing]) -> str:
    return listed([f"“{each.trigger}”" for each in standings])
