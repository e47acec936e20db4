"""Which tickets win, how far they go, and what IMP's masks and weights are worth, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secateurs.report.methods.compared import FEWEST
from secateurs.report.student import by_chance
from secateurs.report.tickets import words
from secateurs.report.tickets.compared import Compared, Reach, compared, reach
from secateurs.report.tickets.findings import RANDOM, TicketFindings
from secateurs.report.words import SPACE, listed, plural, signed

SAID = {"better": "better", "worse": "worse", "": "not told apart"}
"""IMP against another ticket."""

RANGES = {"I": "randomly pruned networks match, too", "II": "only IMP's match", "III": "none matches"}
"""P2 section 4.2.5."""


def sentences(findings: TicketFindings) -> Iterator[str]:
    """How far each ticket matches, the best moment, the sparsity ranges, and IMP against the others."""
    yield from _reaches(findings)
    yield from _extreme(findings)
    yield from _ranges(findings)
    yield from _against(findings)


def _reaches(findings: TicketFindings) -> Iterator[str]:
    within = words.within(findings.study.matching_within)
    told = f" (matching: in the mean over seeds {within})"
    for name in _ordered(findings):
        found = _of(findings, name)
        if found:
            yield f"{_how_far(name, found, findings)}{told}.".replace(") (", "; ", 1)
            told = ""


def _ordered(findings: TicketFindings) -> list[str]:
    """IMP first, then the others in the study's order."""
    imp = findings.imp
    return [*([imp] if imp is not None else []), *(name for name in findings.tickets if name != imp)]


def _of(findings: TicketFindings, name: str) -> list[Reach]:
    """How far a ticket matches at each of its moments; those without any result left out."""
    own = dict.fromkeys(cell.rewind for cell in findings.cells if cell.ticket == name)
    lines = [findings.line(name, rewind) for rewind in own]
    return [reach(line) for line in lines if any(cell.spread() is not None or cell.diverged for cell in line)]


def _how_far(name: str, found: Sequence[Reach], findings: TicketFindings) -> str:
    """How far a ticket goes from each of its moments; moments that go as far are told together."""
    alike: dict[tuple[object, ...], list[Reach]] = {}
    for each in found:
        alike.setdefault((each.down_to, each.again, each.open, each.seeds, each.tried), []).append(each)
    every = len(findings.seeds)
    if len(alike) == 1:
        one = found[0]
        from_start = one.step == 0 and name == findings.imp and len(found) == 1 and one.seeds >= FEWEST
        verb = words.finds(findings.study.matching_within) if from_start else "matches"
        alone = one.step is not None and len(findings.moments) > 1
        k = f", from each of {len(found)} moments" if len(found) > 1 else f", from {_moments(found)}" if alone else ""
        return f"{name} {_down(one, verb)}{k}{words.on(one.seeds, every)}"
    told = list(alike.values())
    if len(told) > words.GROUPS:
        order = sorted(told, key=lambda own: -(own[0].down_to or 2.0))  # the shortest way first
        told, more = [order[0], order[-1]], f" (least and most of {len(found)} moments; the table reach.csv has all)"
    else:
        more = ""
    parts = [f"{_down(own[0], 'matches')} from {_moments(own)}{words.on(own[0].seeds, every)}" for own in told]
    return f"{name}: {'; '.join(parts)}{more}"


def _moments(own: Sequence[Reach]) -> str:
    steps = listed([f"{each.step or 0:,}" for each in own])
    return f"k{SPACE}={SPACE}{steps}"


def _down(each: Reach, verb: str) -> str:
    """How far one line goes: ``"matches down to 21 % of weights"``."""
    again = words.spans(each.again, each.tried) if each.again else ""
    if each.down_to is None and each.open:
        return "has no result yet at its first level" + (f", and matches {again}" if again else "")
    if len(each.tried) == 1:
        where = f"{words.left(each.tried[0])}, the only level tried"
        return f"does not match at {where}" if each.down_to is None else f"matches at {where}"
    if each.down_to is None:
        return f"does not match at its first level, but does {again}" if again else "matches at no level tried"
    parts = [f"{verb} down to {words.left(each.down_to)}"]
    parts += ["with no result yet at the next level"] if each.open else []
    return ", ".join([*parts, *([f"and again {again}"] if again else [])])


def _extreme(findings: TicketFindings) -> Iterator[str]:
    imp = findings.imp
    moments = len(findings.moments_of(imp)) if imp is not None else 0
    if imp is None or moments < 2 or findings.at_chance:
        return
    matches, found = findings.matches(imp), findings.most_extreme
    if found is None:
        if matches:
            yield f"{imp} matches at no level from any of {moments} rewinding moments."
        return
    test = found.spread()
    accuracy = "" if test is None else f" with {100 * test.mean:.1f}{SPACE}%{words.on(test.n, len(findings.seeds))}"
    gaps = [density for density, holds in matches.items() if density > found.density and not holds]
    without = f"; {words.spans(gaps, list(matches))} it matches from none of them" if gaps else ""
    yield (
        f"The most extreme matching level over {moments} rewinding moments: {words.left(found.density)}, from "
        f"{words.k(found.step or 0)}{accuracy}; moment and level are chosen by test accuracy{without}."
    )


def _ranges(findings: TicketFindings) -> Iterator[str]:
    found, random, imp = findings.ranges, findings.one_of(*RANDOM), findings.imp
    if not found or random is None or imp is None:
        return
    parts = []
    for name, meaning in RANGES.items():
        own = [density for density, each in found if each == name]
        if own:
            parts.append(f"{name} ({meaning}) {words.spans(own, [density for density, _ in found])}")
    sides = [(name, max(1, len(findings.moments_of(name)))) for name in (imp, random)]
    best = any(count > 1 for _, count in sides)
    counts = " and ".join(f"{name} from {plural(count, 'moment')}" for name, count in sides)
    chosen = f" Tried were {counts}; the best on test data counts." if best else ""
    some = words.on(_fewest(findings, sides), len(findings.seeds))
    yield f"Sparsity ranges, in weights remaining{some}: {'; '.join(parts)}. Random is {random}.{chosen}"


def _fewest(findings: TicketFindings, sides: Sequence[tuple[str, int]]) -> int:
    """On how few seeds one of these tickets has a result at a level, at any moment."""
    cells = (cell for cell in findings.cells if cell.level > 0 and cell.ticket in dict(sides) and not cell.diverged)
    return min((len(cell.accuracies()) for cell in cells if cell.accuracies()), default=len(findings.seeds))


def _against(findings: TicketFindings) -> Iterator[str]:
    """IMP against each other ticket at the earliest rewinding moment that both have."""
    every = list(compared(findings))
    told = []
    for other in dict.fromkeys(each.other for each in every):
        first = next(each.rewind for each in every if each.other == other)
        own = [each for each in every if each.other == other and each.rewind == first]
        at = f", {words.k(own[0].step or 0)}," if own[0].step is not None and len(findings.moments) > 1 else ""
        yield f"{own[0].ticket}{at} against {other}: {_told(own, len(findings.seeds))}."
        told += own
    judged = sum(each.difference.n >= FEWEST for each in told)
    if judged > 1:
        yield (
            f"These were {judged} comparisons, paired by seed, with 95 % intervals by Student's t: if nothing "
            f"differed, {by_chance(judged):.2g} of them would still be told apart, on average."
        )


def _told(own: Sequence[Compared], every: int) -> str:
    parts, tried = [], [each.density for each in own]
    for said, called in SAID.items():
        here = [each for each in own if each.said == said]
        if here:
            where = words.spans([each.density for each in here], tried)
            fewest = min(each.difference.n for each in here)
            few = f" (on {plural(fewest, 'seed')}, too few)" if fewest < FEWEST else words.on(fewest, every)
            told = "nowhere told apart" if said == "" and len(here) == len(own) > 1 else f"{called} {where}"
            parts.append(f"{told}{few}, {_points(here)}")
    return "; ".join(parts)


def _points(here: Sequence[Compared]) -> str:
    """The differences of means, least to most; of one the interval."""
    low, high = (find(here, key=lambda each: each.difference.mean) for find in (min, max))
    if signed(low.difference.mean) == signed(high.difference.mean):
        told = words.difference(low.difference, low.interval if len(here) == 1 else None)
        return told.replace(" (", " points (", 1) if " (" in told else f"{told} points"
    return f"mean differences from {signed(low.difference.mean)} to {signed(high.difference.mean)} points over levels"
