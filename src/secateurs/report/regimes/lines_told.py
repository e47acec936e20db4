"""Settings beside each other over the temperature (P4 figures 5 and 13): SAM against SGD, Adam against SGD.

Each setting is compared with the first one of its kind, apart where that one is in Regime I and where it is in
Regime II: P4 section 4.3 has SAM help in the first, and not in the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from secateurs.core.regimes import TEMPERATURES, hotter_first
from secateurs.report.curves import Spread
from secateurs.report.overview import Row
from secateurs.report.regimes import regrets_tables as tables
from secateurs.report.regimes import regrets_told as told
from secateurs.report.regimes import words
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.paired import TOO_FEW, Interval, Paired, expected, judged_by
from secateurs.report.tickets.grid import Grid, Line
from secateurs.report.words import listed, plural

SETTINGS = (
    *("setting", "reference", "load", "where_reference_is", "places", "seeds"),
    *("difference_mean", "difference_sd", "difference_low", "difference_high"),
)
"""Columns of the table of settings against each other; without a load: over all of them."""

EVERYWHERE = "anywhere"
"""In place of a regime, where none is known."""

Place = tuple[float, float]
"""Temperature and load."""


@dataclass(frozen=True)
class Beside:
    """A setting's test error minus the reference's, at some places.

    Attributes:
        load: None: at all loads.
        where: the regime that the reference is in there, ``"I"`` or ``"II"``; or anywhere.
        places: so many temperatures and loads.
        differences: by seed, the mean over the places; fractions.
    """

    setting: str
    reference: str
    load: float | None
    where: str
    places: int
    differences: tuple[float, ...]

    @cached_property
    def paired(self) -> Paired:
        """The differences, and whether they are told apart from nothing."""
        return Paired(self.differences)

    @property
    def spread(self) -> Spread | None:
        return self.paired.spread

    @property
    def interval(self) -> Interval:
        """Student's t interval of the mean; None of fewer than two seeds."""
        return self.paired.interval


def kinds(found: Sequence[RegimeFindings]) -> list[tuple[RegimeFindings, ...]]:
    """Settings that can share panels: with the same kind of temperature and of load, in the order given."""
    by: dict[tuple[str, str], list[RegimeFindings]] = {}
    for each in found:
        if not each.at_chance and each.has_results:
            by.setdefault((each.temperature.name, each.load.name), []).append(each)
    return [tuple(own) for own in by.values()]


def temperatures(kind: Sequence[RegimeFindings]) -> tuple[float, ...]:
    """All temperatures of some settings, the hottest first."""
    values = dict.fromkeys(value for each in kind for value in each.temperature.values)
    name = kind[0].temperature.name
    return hotter_first(name, values) if name in TEMPERATURES else tuple(values)


def loads(kind: Sequence[RegimeFindings]) -> tuple[float, ...]:
    """All loads of some settings, from the smallest."""
    return tuple(sorted({value for each in kind for value in each.load.values}))


def where(found: RegimeFindings, place: Place) -> str | None:
    """Whether a setting is in Regime I or II at a place; None where that is not known."""
    temperature, load = place
    if temperature not in found.temperature.values or load not in found.load.values:
        return None
    if not found.compared:
        return EVERYWHERE
    cell = found.cell(temperature, load)
    return None if cell.regime is None else "I" if cell.regime == "I" else "II"


def beside(kind: Sequence[RegimeFindings]) -> Iterator[Beside]:
    """Every setting against the first one, over all loads and load by load."""
    first = kind[0]
    places = [(temperature, load) for load in loads(kind) for temperature in temperatures(kind)]
    for other in kind[1:]:
        for load in (*([None] if len(loads(kind)) > 1 else []), *loads(kind)):
            own = [place for place in places if load is None or place[1] == load]
            for name in ("I", "II", EVERYWHERE):
                made = _beside(first, other, load, name, [place for place in own if where(first, place) == name])
                if made is not None:
                    yield made


def _beside(
    first: RegimeFindings, other: RegimeFindings, load: float | None, name: str, places: Sequence[Place]
) -> Beside | None:
    """Over the seeds that both have, and the places at which both have a result on all of these."""
    seeds = [seed for seed in first.seeds if seed in other.seeds]
    known = [(_errors(first, place), _errors(other, place)) for place in places]
    whole = [(one, two) for one, two in known if seeds and all(seed in one and seed in two for seed in seeds)]
    if not whole:
        return None
    differences = tuple(fmean(two[seed] - one[seed] for one, two in whole) for seed in seeds)
    return Beside(other.setting, first.setting, load, name, len(whole), differences)


def _errors(found: RegimeFindings, place: Place) -> dict[int, float]:
    there = place[0] in found.temperature.values and place[1] in found.load.values
    return found.cell(*place).errors() if there else {}


def sentences(found: Sequence[RegimeFindings]) -> Iterator[str]:
    """Each setting against the first one, where that is in Regime I and in Regime II."""
    for kind in kinds(found):
        every = [each for each in beside(kind) if each.load is None or len(loads(kind)) == 1]
        for setting in dict.fromkeys(each.setting for each in every):
            own = [each for each in every if each.setting == setting]
            parts = [f"{told.difference_of(each.paired)} {_where(each)}" for each in own]
            seeds = plural(len(own[0].differences), "seed")
            names = f"{quoted(setting)} against {quoted(kind[0].setting)}"
            yield f"Test error of {names}, in points, {seeds}: {listed(parts)}."
        intervals = judged_by(each.paired for each in every)
        if intervals:
            apart = sum(each.paired.apart is True for each in every)
            yield (
                f"{apart or 'None'} of {plural(intervals, 'such interval')} {'leaves' if apart < 2 else 'leave'} out "
                f"0; about {expected(intervals)} would by chance where nothing differs."
            )
        elif not all(each.paired.same for each in every):
            yield f"{TOO_FEW[0].upper()}{TOO_FEW[1:]}."


def quoted(setting: str) -> str:
    """A setting's name in a sentence; one with a comma would run into what follows.

    >>> quoted("SGD"), quoted("SGD, batch size")
    ('SGD', '"SGD, batch size"')
    """
    return f'"{setting}"' if "," in setting else setting


def _where(each: Beside) -> str:
    at = plural(each.places, "place")
    return (
        f"over {at}" if each.where == EVERYWHERE else f"where {quoted(each.reference)} is in Regime {each.where} ({at})"
    )


def grids(found: Sequence[RegimeFindings]) -> Iterator[Grid]:
    """Settings against the first one of their kind, load by load."""
    for index, kind in enumerate(kinds(found)):
        every = list(beside(kind))
        if not every:
            continue
        parts = []
        for load in dict.fromkeys(each.load for each in every):
            name = "All loads" if load is None else words.load_name(kind[0].load, load)
            parts.append((name, tuple(_line(each) for each in every if each.load == load)))
        note = (
            f"Test error minus that of {kind[0].setting} at the same temperature, load and seed: the mean over the "
            "temperatures at which both have a result on all seeds, with Student's 95 % interval over seeds. Regimes "
            "are those of the mean over seeds."
        )
        columns = ("setting", "difference, points", "temperatures and loads", f"where {kind[0].setting} is")
        yield Grid(f"settings-{index + 1}", f"Against {kind[0].setting}", columns, tuple(parts), note, text=1)


def _line(each: Beside) -> Line:
    place = each.where if each.where == EVERYWHERE else f"in Regime {each.where}"
    return Line(each.setting, (told.difference_of(each.paired), str(each.places), place))


def rows(found: Sequence[RegimeFindings]) -> Iterator[Row]:
    """Settings against each other, for the CSV file."""
    for kind in kinds(found):
        for each in beside(kind):
            low, high = each.interval or (None, None)
            yield {
                **{"setting": each.setting, "reference": each.reference, "load": each.load},
                **{"where_reference_is": each.where, "places": each.places, "seeds": len(each.differences)},
                **tables.spread("difference", each.spread),
                **{"difference_low": low, "difference_high": high},
            }
