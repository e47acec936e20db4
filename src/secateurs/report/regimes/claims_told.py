"""P4's claims against the numbers, in sentences: one test each, then what was counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secateurs.report.methods.compared import FEWEST
from secateurs.report.regimes import words
from secateurs.report.regimes.claims import Change, Claim, Tally, Way, by_regime, directions, moves, steps
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.student import by_chance
from secateurs.report.words import number_of, plural, signed

_CLAIMS: dict[Way, str] = {
    "hotter": "that poorly connected networks (Regime I) gain from a higher temperature",
    "colder": "that well connected networks (Regime II) gain from a lower temperature",
}

_VERDICTS = {
    "shows": "shows here",
    "does not show": "does not show here",
    "reverse": "does not show here: the reverse does",
    "": "cannot be judged here: too few seeds",
}

_ROUTES: dict[Way, str] = {
    "hotter": "From the coldest temperature to the nearest one out of Regime I (else to the hottest)",
    "colder": "From the hottest temperature to the last one before Regime I (else to the coldest)",
}

_STEPS: dict[Way, str] = {
    "hotter": "To the next hotter temperature, from each cell in Regime I",
    "colder": "To the next colder temperature within Regime II",
}


def claims(findings: RegimeFindings) -> Iterator[str]:
    """P4's main claim, one sentence for each way, then the order of the regimes."""
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
        test = Claim.of(own or close)
        parts = []
        if own:
            parts.append(f"{_ROUTES[way]}, {_counted(own, 'load')}.{_mean(test, 'load')}")
        if close:
            there = f"it falls {_counts(close, 'in', 'step')}" if own else _counted(close, "step")
            parts.append(f"{_STEPS[way]}, {there}.{'' if own else _mean(test, 'step')}")
        yield f"P4's claim {claim} {_VERDICTS[test.verdict]}. {' '.join(parts)}"
    yield from _directions(findings)
    yield from _order(findings)


def _counted(changes: Sequence[Change], what: str) -> str:
    return f"test error falls {_counts(changes, 'at' if what == 'load' else 'in', what)}"


def _counts(changes: Sequence[Change], at: str, what: str) -> str:
    tally = Tally.of(changes)
    return f"{at} {tally.helped} of {plural(tally.count, what)} ({_apart(tally)})"


def _apart(tally: Tally) -> str:
    if not tally.judged:
        return f"none told apart: fewer than {FEWEST} seeds"
    chance = f"by chance about {number_of(round(by_chance(tally.judged), 1))} of {tally.judged} would be"
    short = tally.count - tally.judged
    left = f"; {short} left out, of fewer than {FEWEST} seeds" if short else ""
    return f"told apart: {tally.helps} to fall, {tally.harms} to rise; {chance}{left}"


def _mean(test: Claim, what: str) -> str:
    """The test of a claim, on which its verdict rests; nothing with too few seeds."""
    if not test.verdict:
        return f" No {FEWEST} seeds are common to these {test.count} {what}s." if test.count > 1 else ""
    over = f"the mean change over {test.count} {what}s" if test.count > 1 else f"the change of one {what}"
    return f" Judged by {over}, seed by seed: {_interval(test)}."


def _interval(test: Claim) -> str:
    ends = "" if test.interval is None else f" ({' to '.join(map(signed, test.interval))})"
    return f"{signed(test.difference.mean)} points{ends}, {plural(test.difference.n, 'seed')}"


def _directions(findings: RegimeFindings) -> Iterator[str]:
    found = directions(findings)
    if len(found) < 2:
        return
    right = [each for each in found if each.raises == each.best_is_hotter]
    missed = [each.load for each in found if each.raises != each.best_is_hotter]
    but = f", not at {words.load_names(findings.load, missed)}" if missed and right else ""
    hotter = sum(each.best_is_hotter for each in found)
    constant, answer = max((hotter, "hotter"), (len(found) - hotter, "the coldest"))
    yield (
        f"Judged on test data, by the mean without regard to noise: what LMC advises at the coldest temperature agrees "
        f"with where the lowest error lies at {len(right)} of {plural(len(found), 'load')}{but}; to answer "
        f"“{answer}” everywhere, at {constant}."
    )


def _order(findings: RegimeFindings) -> Iterator[str]:
    """P4 section 3.2: II-A is better than I, II-B better than II-A."""
    told = []
    for each in by_regime(findings) if len(findings.temperature.values) > 1 else ():
        apart = {"shows": "told apart", "reverse": "told apart, the reverse"}.get(each.test.verdict, "not told apart")
        if each.test.verdict:
            loads = plural(each.test.count, "load")
            told.append(f"{each.low} against {each.high} {_interval(each.test)}, over {loads} ({apart})")
    if told:
        yield (
            f"Regimes beside each other in one load, their test error paired by seed (P4: II-B below II-A below I): "
            f"{'; '.join(told)}. The regimes of a load lie at different temperatures."
        )
