"""The sparsity ranges that figure 4-18 of P2 is shaded by, judged as its lines are: by the majority of seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from secateurs.core.matching import SparsityRange, sparsity_range
from secateurs.report.tickets.findings import RANDOM, TicketFindings
from secateurs.report.tickets.stability import Onset


class Piece(NamedTuple):
    """Neighbouring levels of one range: from half way to the level before to half way to the next one.

    ``start`` and ``end`` are densities; None: the end of the axis.
    """

    name: SparsityRange
    levels: tuple[float, ...]
    start: float | None
    end: float | None


def ranges_of(findings: TicketFindings, found: Sequence[Onset]) -> dict[float, SparsityRange]:
    """By density its range, where it is known of random pruning and of IMP whether most seeds match at some k."""
    random = findings.one_of(*RANDOM)
    if findings.imp is None or random is None:
        return {}
    of_imp, of_random = (_matches(found, name) for name in (findings.imp, random))
    return {each: sparsity_range(of_random[each], of_imp[each]) for each in of_imp if each in of_random}


def _matches(found: Sequence[Onset], name: str) -> dict[float, bool]:
    """A network that does not match yet may do so once all its runs are there: then nothing is known of it."""
    own = [onset for onset in found if onset.network.ticket == name and onset.matching_at()]
    known = [onset for onset in own if onset.matching_median is not None or not onset.running]
    return {onset.network.density: onset.matching_median is not None for onset in known}


def pieces(levels: Sequence[float], ranges: Mapping[float, SparsityRange]) -> Iterator[Piece]:
    """What to shade of an axis with these levels, from the highest density to the lowest; the others stay white.

    >>> [(each.name, each.levels) for each in pieces([0.8, 0.4, 0.2, 0.1], {0.8: "I", 0.2: "II", 0.1: "II"})]
    [('I', (0.8,)), ('II', (0.2, 0.1))]
    >>> [round(each, 3) if each else each for each in next(pieces([0.8, 0.4, 0.2], {0.4: "I"}))[2:]]
    [0.566, 0.283]
    >>> list(pieces([0.8, 0.4], {0.1: "I"}))
    []
    """
    half = [None, *(math.sqrt(one * other) for one, other in pairwise(levels)), None]
    for name, group in groupby(range(len(levels)), key=lambda place: ranges.get(levels[place])):
        places = list(group)
        if name is not None:
            yield Piece(name, tuple(levels[place] for place in places), half[places[0]], half[places[-1] + 1])
