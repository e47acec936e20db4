"""What the ranking found, in sentences: plain, short, and no kinder than the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secateurs.report.cells import few_seeds
from secateurs.report.ranking import words
from secateurs.report.ranking.sides import Side
from secateurs.report.ranking.standing import Standing, difference
from secateurs.report.words import listed, plural

FEW_SETTINGS = 5
"""Below this many settings an interval over settings says little."""


def summary(side: Side) -> list[str]:
    """What one side's ranking says, the most important first."""
    known = [each for each in side.standings if each.regret is not None]
    if not known:
        return ["No trigger has a regret here yet.", *_lost(side)]
    said = [_first(known[0], side), *_from_zero(known), *_from_first(known), *_with_and_without(known)]
    said += [*_silent(side.standings), *_lost(side), *_caution(side)]
    return said


def _first(first: Standing, side: Side) -> str:
    settings = plural(first.settings, "setting")
    at = "" if first.share is None else f"; it trains {words.part(first.share)} of the run densely, in the mean"
    of = f" of {len(side.found)}" if first.settings < len(side.found) else ""
    return f"“{first.trigger}” loses least: {words.regret(first)} points of regret over {settings}{of}{at}."


def _from_zero(known: Sequence[Standing]) -> Iterator[str]:
    judged = [each for each in known if each.interval is not None]
    if not judged:
        yield "No trigger has two regrets, so none can be told from 0."
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


def _from_first(known: Sequence[Standing]) -> Iterator[str]:
    judged = [each for each in known[1:] if each.behind_interval is not None]
    worse = [each for each in judged if each.behind_interval is not None and each.behind_interval[0] > 0]
    near = [each for each in judged if each not in worse]
    if not judged:
        return
    if not worse:
        yield "No other trigger is told apart from it."
    elif not near:
        yield "Every other trigger loses more, beyond the interval of the difference."
    elif len(near) > len(worse):
        yield f"Told apart from it are only {_names(worse)}, which {'loses' if len(worse) == 1 else 'lose'} more."
    else:
        yield f"Not told apart from it: {_names(near)}."


def _with_and_without(known: Sequence[Standing]) -> Iterator[str]:
    """Whether measuring is worth anything against a fixed moment."""
    measures = next((each for each in known if each.reads), None)
    fixed = next((each for each in known if each.reads is not None and not each.reads), None)
    if measures is None or fixed is None:
        return
    mean, interval = difference(fixed, measures)
    if mean is None:
        return
    verdict = "which settles nothing"
    if interval is not None and interval[0] > 0:
        verdict = "so measuring pays here"
    elif interval is not None and interval[1] < 0:
        verdict = "so measuring does not pay here"
    yield (
        f"Of the triggers that measure something “{measures.trigger}” does best, of those that do not "
        f"“{fixed.trigger}”. The latter's regret minus the former's, on the same runs: "
        f"{words.with_interval(mean, interval)} points, {verdict}."
    )


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
    few = few_seeds(side.found)
    if few:
        yield few
    if len(side.found) < FEW_SETTINGS:
        yield f"{plural(len(side.found), 'setting')} only: the interval says little about others."


def _names(standings: Sequence[Standing]) -> str:
    return listed([f"“{each.trigger}”" for each in standings])
