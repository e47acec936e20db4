"""Copies of networks, network by network and moment by moment: what instability analysis came to (P2 chapter 4)."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.rows import number
from secateurs.report.tickets import words
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.rows import DENSE, After, Copies, Row

PARTS = ("train", "test")
"""The parts of the data on which copies are compared, in the order of figures."""


@dataclass(frozen=True)
class Sample:
    """Values of one quantity: of all pairs of copies of all replicates, or of all networks.

    >>> found = Sample.of([0.25, None, 0.75])
    >>> found.mean, found.n
    (0.5, 2)
    """

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Sample | None:
        """The values that are there; None when none is."""
        there = tuple(value for value in values if value is not None)
        return cls(there) if there else None

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Their mean."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> Spread:
        """Mean and sample standard deviation, None of a single value."""
        return Spread(self.mean, statistics.stdev(self.values) if self.n > 1 else None, self.n)


@dataclass(frozen=True)
class Network:
    """A line in the figures: a ticket at a level, or the dense network."""

    ticket: str
    level: int
    density: float

    @property
    def dense(self) -> bool:
        """Whether it is the network that nothing was pruned from."""
        return self.ticket == DENSE

    @property
    def title(self) -> str:
        """Its name, with the weights that remain."""
        return self.ticket if self.dense else f"{self.ticket}, {words.left(self.density)}"


Moments = Mapping[int, tuple[Copies, ...]]
"""By rewinding moment, in steps and in order, the copies of each replicate."""


def by_network(findings: TicketFindings, copies: Iterable[Copies]) -> dict[Network, Moments]:
    """Copies that have a rewinding moment and a result, dense networks first, then in the study's order.

    Where too many copies diverged there is no row: nothing of such a replicate is in a mean.
    """
    found: dict[Network, dict[int, list[Copies]]] = {}
    for each in copies:
        if each.step is not None and (each.rows or each.summary):
            network = Network(each.ticket, each.level, each.density)
            found.setdefault(network, {}).setdefault(each.step, []).append(each)
    order = [DENSE, *findings.study.tickets]
    ranked = sorted(found, key=lambda network: (order.index(network.ticket), network.level))
    return {network: {k: tuple(own) for k, own in sorted(found[network].items())} for network in ranked}


def compared(findings: TicketFindings, after: After | None = None) -> dict[Network, Moments]:
    """The networks whose copies were compared at the end, by what these did after k: by default :func:`way`."""
    wanted = after or way(findings)
    return by_network(findings, (each for each in findings.copies if each.after == wanted))


def way(findings: TicketFindings) -> After:
    """Of which copies most figures are: those that trained on, or did all steps again where none trained on."""
    return "replay" if {each.after for each in findings.copies if each.rows} == {"replay"} else "continue"


def tried(networks: Mapping[Network, Moments]) -> tuple[int, ...]:
    """Every rewinding moment at which copies were compared, in steps and in order."""
    return tuple(sorted({k for moments in networks.values() for k, own in moments.items() if any(c.rows for c in own)}))


def panels_of(networks: Iterable[Network]) -> list[tuple[str, tuple[Network, ...]]]:
    """What shares a panel, and its title: the tickets of one density, each time with the dense network.

    >>> dense, imp, imp2 = Network("dense", 0, 1.0), Network("IMP", 1, 0.8), Network("IMP", 2, 0.64)
    >>> [[each.ticket for each in own] for _, own in panels_of([dense, imp, imp2])]
    [['dense', 'IMP'], ['dense', 'IMP']]
    >>> panels_of([dense])[0][0]
    ''
    """
    every = list(networks)
    dense = [network for network in every if network.dense]
    densities = sorted({network.density for network in every if not network.dense}, reverse=True)
    if not densities:
        return [("", tuple(dense))] if dense else []
    own = {density: [n for n in every if not n.dense and n.density == density] for density in densities}
    return [(words.left(density), (*dense, *own[density])) for density in densities]


def sample(copies: Iterable[Copies], part: str, name: str) -> Sample | None:
    """One quantity over all pairs of all replicates."""
    return Sample.of(number(row, name) for each in copies for row in each.rows_of(part))


def course(moments: Moments, part: str, name: str) -> dict[int, Sample]:
    """The same at each moment that has a value."""
    found = {k: sample(copies, part, name) for k, copies in moments.items()}
    return {k: values for k, values in found.items() if values is not None}


def errors_at_end(each: Copies, part: str) -> dict[int, float]:
    """The error of each copy by its order seed, a fraction: the ends of the ways between them.

    A way leads from the second of a pair (alpha = 0) to the first.

    >>> row = {"part": "test", "seeds": [7, 8], "errors": [0.25, 0.5, 0.125]}
    >>> errors_at_end(Copies("net", "IMP", 1, 0.8, "0ep", 0, 1, rows=[row]), "test")
    {7: 0.125, 8: 0.25}
    """
    found: dict[int, float] = {}
    for row in each.rows_of(part):
        first, second = row["seeds"]
        found |= {first: row["errors"][-1], second: row["errors"][0]}
    return found


def parts_of(networks: Mapping[Network, Moments]) -> tuple[str, ...]:
    """The parts of the data on which any were compared."""
    there = {row.get("part") for row in rows_of(networks)}
    return tuple(part for part in PARTS if part in there)


def rows_of(networks: Mapping[Network, Moments]) -> list[Row]:
    """All rows of all of them."""
    return [row for moments in networks.values() for own in moments.values() for each in own for row in each.rows]
