"""Where the regimes lie in a phase diagram: the lines between them, and the cells that bear their names.

Places are (column, row) on a grid of cells of side 1; row 0 is the hottest temperature. Cell (c, r) covers c to c + 1
and r to r + 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from secateurs.core.regimes import Regime
from secateurs.report.regimes.findings import RegimeFindings

Place = tuple[int, int]

Segment = tuple[tuple[int, int], tuple[int, int]]
"""A side of a cell, from one corner to the next."""

Regimes = Mapping[Place, Regime]
"""By place the regime, of the cells of which it is known."""


def regimes_of(findings: RegimeFindings) -> dict[Place, Regime]:
    """The regimes on the grid."""
    found = {
        (c, r): findings.cell(temperature, load).regime
        for c, load in enumerate(findings.load.values)
        for r, temperature in enumerate(findings.temperature.values)
    }
    return {place: regime for place, regime in found.items() if regime is not None}


def between(regimes: Regimes) -> tuple[list[Segment], list[Segment]]:
    """The sides between a cell in Regime I and one out of it, then those between II-A and II-B.

    A cell whose regime is not known has no side.

    >>> between({(0, 0): "II-A", (0, 1): "I", (1, 0): "II-B"})
    ([((0, 1), (1, 1))], [((1, 0), (1, 1))])
    """
    poor: list[Segment] = []
    similar: list[Segment] = []
    for (c, r), own in regimes.items():
        for other, side in (
            (regimes.get((c + 1, r)), ((c + 1, r), (c + 1, r + 1))),
            (regimes.get((c, r + 1)), ((c, r + 1), (c + 1, r + 1))),
        ):
            if other is not None and other != own:
                (poor if "I" in (own, other) else similar).append(side)
    return poor, similar


def named(regimes: Regimes) -> dict[Place, Regime]:
    """One cell for each region of neighbours in one regime, its most central one, to bear the regime's name.

    Of a regime's regions, only its largest and those of three cells or more are named.

    >>> named({(0, 0): "II-A", (1, 0): "II-A", (2, 0): "II-A", (0, 1): "I"})
    {(1, 0): 'II-A', (0, 1): 'I'}
    """
    found: dict[Place, Regime] = {}
    regions = list(_regions(regimes))
    for regime in dict.fromkeys(regimes.values()):
        own = sorted((region for region in regions if regimes[region[0]] == regime), key=len, reverse=True)
        for place, region in enumerate(own):
            if place == 0 or len(region) > 2:
                found[_centre(region)] = regime
    return found


def _regions(regimes: Regimes) -> Iterator[list[Place]]:
    left = dict(regimes)
    while left:
        start, regime = next(iter(left.items()))
        region, edge = [], [start]
        del left[start]
        while edge:
            c, r = edge.pop()
            region.append((c, r))
            for near in ((c + 1, r), (c - 1, r), (c, r + 1), (c, r - 1)):
                if left.get(near) == regime:
                    edge.append(near)
                    del left[near]
        yield region


def _centre(region: list[Place]) -> Place:
    """The cell of a region that is nearest to the middle of it."""
    across, down = (sum(place[axis] for place in region) / len(region) for axis in (0, 1))
    return min(sorted(region), key=lambda place: (place[0] - across) ** 2 + (place[1] - down) ** 2)
