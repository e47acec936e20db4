"""Which tickets win, how far they go, and what IMP's masks and weights are worth, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secateurs.report.methods.compared import FEWEST
from secateurs.report.tickets import words
from secateurs.report.tickets.compared import Compared, Reach, compared, reach
from secateurs.report.tickets.findings import RANDOM, TicketFindings
from secateurs.report.words import SPACE, listed, plural, signed

SAID = {"better": "better", "worse": "worse", "": "not told apart"}
"""IMP against another ticket."""

RANGES = {"I": "randomly pruned networks match, too", "II": "only IMP's match", "III": "none matches"}
"""P2 section 4.2.3."""


def sentences(findings: TicketFindings) -> Iterator[str]:
    """How far each ticket matches, the best moment, the sparsity ranges, and IMP against the others."""
    yield from _reaches(findings)
    yield from _extreme(findings)
    yield from _ranges(findings)
    yield from _against(findings)


def _reaches(findings: TicketFindings) -> Iterator[str]:
    within = words.within(findings.study.matching_within)
    for place, name in enumerate(_ordered(findings)):
        found = _of(findings, name)
        if found:
            told = f" (matching: in the mean {within})" if place == 0 else ""
            yield f"{_how_far(name, found, findings)}{told}."


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
        alike.setdefault((each.down_to, each.again, each.open), []).append(each)
    if len(alike) == 1:
        one = found[0]
        winning = one.step == 0 and name == findings.imp and len(found) == 1
        verb = f"finds {words.WINNING}s" if winning else "matches"
        return f"{name} {_down(one, verb)}" + (f", from each of {len(found)} moments" if len(found) > 1 else "")
    parts = [f"{_down(own[0], 'matches')} from {_moments(own)}" for own in alike.values()]
    return f"{name}: {'; '.join(parts)}"


def _moments(own: Sequence[Reach]) -> str:
    steps = listed([f"{each.step or 0:,}" for each in own])
    return f"k{SPACE}={SPACE}{steps}"


def _down(each: Reach, verb: str) -> str:
    """How far one line goes: ``"matches down to 21 % of weights"``."""
    if each.down_to is not None:
        said = f"{verb} down to {words.left(each.down_to)}"
        said += ", with no result yet at the next level," if each.open else ""
    elif each.open:
        said = "has no result yet at its first level"
    else:
        said = "does not match at its first level" if each.again else "matches at no level tried"
    return (said + (f", and again at {words.several(each.again)}" if each.again else "")).rstrip(",")


def _extreme(findings: TicketFindings) -> Iterator[str]:
    reached = findings.reach
    if findings.imp is None or len(findings.moments) < 2:
        return
    if reached is None:
        yield f"{findings.imp} matches at no level from any of {len(findings.moments)} rewinding moments."
        return
    test = reached.spread()
    accuracy = "" if test is None else f" with {100 * test.mean:.1f}{SPACE}%"
    yield (
        f"The most extreme matching level over {len(findings.moments)} rewinding moments: "
        f"{words.left(reached.density)}, from {words.k(reached.step or 0)}{accuracy}; moment and level are chosen by "
        "test accuracy."
    )


def _ranges(findings: TicketFindings) -> Iterator[str]:
    found = findings.ranges
    if not found:
        return
    parts = []
    for name, meaning in RANGES.items():
        own = [density for density, each in found if each == name]
        if own:
            parts.append(f"{name} ({meaning}) {words.spans(own, [density for density, _ in found])}")
    yield f"Sparsity ranges, in weights remaining: {'; '.join(parts)}. Random is {findings.one_of(*RANDOM)}."


def _against(findings: TicketFindings) -> Iterator[str]:
    """IMP against each other ticket at the earliest rewinding moment."""
    first = findings.first
    found = [each for each in compared(findings) if each.rewind == first]
    at = f", {words.k(found[0].step or 0)}," if found and len(findings.moments) > 1 else ""
    for other in dict.fromkeys(each.other for each in found):
        own = [each for each in found if each.other == other]
        yield f"{own[0].ticket}{at} against {other}: {_told(own)}."


def _told(own: Sequence[Compared]) -> str:
    parts, tried = [], [each.density for each in own]
    for said, called in SAID.items():
        here = [each for each in own if each.said == said]
        if here:
            where = words.spans([each.density for each in here], tried)
            fewest = min(each.difference.n for each in here)
            few = f" (on {plural(fewest, 'seed')}, too few)" if said == "" and fewest < FEWEST else ""
            told = "nowhere told apart" if said == "" and len(here) == len(own) > 1 else f"{called} {where}"
            parts.append(f"{told}{few}, {_points(here)}")
    return "; ".join(parts)


def _points(here: Sequence[Compared]) -> str:
    """The differences, least to most; of one the interval."""
    low, high = (find(here, key=lambda each: each.difference.mean) for find in (min, max))
    if signed(low.difference.mean) == signed(high.difference.mean):
        return f"{signed(low.difference.mean)} points{words.interval(low.interval) if len(here) == 1 else ''}"
    return f"{signed(low.difference.mean)} to {signed(high.difference.mean)} points"
