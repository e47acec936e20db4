"""From the rows of a study of tickets to what they show, one :class:`TicketFindings` per setting."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from secateurs.core.matching import SparsityRange, sparsity_range
from secateurs.report.chance import hardly_better
from secateurs.report.curves import Spread
from secateurs.report.rows import DenseRun
from secateurs.report.tickets import words
from secateurs.report.tickets.cells import Cell
from secateurs.report.tickets.rows import DENSE, Copies, Dilated, Role, Start, TicketRun, TicketStudy
from secateurs.report.words import moment_name

IMP: tuple[Role, ...] = ("iterative", "one-shot")
"""The roles of iterative magnitude pruning: the first of the two that a study has is what others are compared with."""

RANDOM: tuple[Role, ...] = ("random", "shuffled")
"""The roles of random pruning, over the whole network first."""


@dataclass(frozen=True)
class TicketFindings:
    """What one setting shows. ``cells`` are in the order of tickets, moments and levels; dense ones first.

    ``study`` is on the setting's own terms. ``at_chance``: whether the dense networks are hardly better than guessing;
    then nothing is judged. False where that is not known.
    ``diverged`` and ``missing`` name runs that take no part in any mean.
    """

    study: TicketStudy
    setting: str
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    diverged: tuple[str, ...]
    missing: tuple[str, ...]
    at_chance: bool
    dense_runs: tuple[DenseRun, ...]
    copies: tuple[Copies, ...]
    throughout: tuple[Copies, ...]
    dilated: tuple[Dilated, ...]
    starts: tuple[Start, ...]

    @property
    def steps(self) -> int:
        """How many steps training takes (T)."""
        return self.study.steps[self.setting]

    @property
    def steps_per_epoch(self) -> int:
        """How many of them make an epoch."""
        return self.study.steps_per_epoch[self.setting]

    @property
    def tickets(self) -> tuple[str, ...]:
        """The tickets of which there are runs, in the study's order; without dense."""
        there = {cell.ticket for cell in self.cells}
        return tuple(name for name in self.study.tickets if name in there)

    @cached_property
    def moments(self) -> tuple[tuple[str, int], ...]:
        """The rewinding moments as the recipe says them, with their steps, earliest first."""
        found = {(cell.rewind, cell.step) for cell in self.cells if cell.rewind is not None and cell.step is not None}
        known = [(rewind, step) for rewind, step in found if rewind is not None and step is not None]
        return tuple(sorted(known, key=lambda each: each[1]))

    def moments_of(self, *tickets: str) -> tuple[tuple[str, int], ...]:
        """The moments that all of these tickets were rewound to, earliest first; tickets that have none stand aside."""
        own = [{cell.rewind for cell in self.cells if cell.ticket == name} - {None} for name in tickets]
        known = [each for each in own if each]
        return tuple(each for each in self.moments if known and all(each[0] in some for some in known))

    def first_of(self, *tickets: str) -> str | None:
        """The earliest moment that all of these tickets were rewound to; None where there is none."""
        return next((rewind for rewind, _ in self.moments_of(*tickets)), None)

    @property
    def first(self) -> str | None:
        """The earliest rewinding moment; None where no ticket has one."""
        return self.moments[0][0] if self.moments else None

    @property
    def at_start(self) -> str | None:
        """The rewinding moment k = 0; None where it was not tried."""
        return self.moments[0][0] if self.moments and self.moments[0][1] == 0 else None

    @property
    def fewest(self) -> int:
        """The least number of seeds that a pruned network with any result has one on."""
        counts = (len(cell.accuracies()) for cell in self.cells if cell.level > 0 and not cell.diverged)
        return min((count for count in counts if count), default=len(self.seeds))

    @property
    def densities(self) -> tuple[float, ...]:
        """The densities of pruned networks, from the highest to the lowest."""
        return tuple(sorted({cell.density for cell in self.cells if cell.level > 0}, reverse=True))

    @cached_property
    def dense_reference(self) -> dict[int, float]:
        """The dense networks' test accuracy by seed: what matching is judged by."""
        return _reference(self.dense_runs)

    def dense(self, part: str = "test") -> Spread | None:
        """The dense networks' accuracy at the end."""
        return Spread.of(run.accuracy(part) for run in self.dense_runs)

    def line(self, ticket: str, rewind: str | None) -> tuple[Cell, ...]:
        """The cells of a ticket rewound to a moment, from the highest density to the lowest.

        A ticket that has no rewinding moment has one line, which stands beside those of all moments.
        """
        own = [cell for cell in self.cells if cell.ticket == ticket and cell.rewind in (rewind, None)]
        return tuple(sorted(own, key=lambda cell: -cell.density))

    def cell(self, ticket: str, level: int, rewind: str | None) -> Cell | None:
        """One cell; None where the study has none."""
        return next((cell for cell in self.line(ticket, rewind) if cell.level == level), None)

    def best(self, ticket: str) -> tuple[Cell, ...]:
        """At each level the best cell over the rewinding moments (P2 figure 4-13), by the mean difference to dense.

        Dense is that of the same seeds, and only moments compete that have a result on as many seeds as any other.
        Of equal ones the earliest; cells with a diverged run take no part where there is another one.
        """
        found: dict[float, list[Cell]] = {}
        for cell in self.cells:
            if cell.ticket == ticket and cell.differences:
                found.setdefault(cell.density, []).append(cell)
        return tuple(_best(found[density]) for density in sorted(found, reverse=True))

    @property
    def imp(self) -> str | None:
        """The ticket that the others are compared with: iterative IMP, or else one-shot IMP; None: neither is there."""
        return self.one_of(*IMP)

    def one_of(self, *roles: Role) -> str | None:
        """The first ticket with runs that has the first of these roles there is; None: there is none."""
        there = self.tickets
        return next((name for role in roles for name in self.study.of_role(role) if name in there), None)

    @property
    def most_extreme(self) -> Cell | None:
        """The lowest level at which IMP matches from any moment, at the best such moment (P2 table 4.1); None: none.

        Moment and level are chosen by test accuracy, as in P2: good for choosing a level to look at, too kind for a
        result.
        """
        cells = [cell for cell in self.cells if cell.ticket == self.imp and cell.level > 0 and cell.matching]
        least = min((cell.density for cell in cells), default=None)
        return None if least is None else _best([cell for cell in cells if cell.density == least])

    def matches(self, ticket: str) -> dict[float, bool]:
        """Whether a ticket matches from any of its moments, by density; left out where that is not known yet."""
        found: dict[float, list[bool | None]] = {}
        for cell in self.cells:
            if cell.ticket == ticket and cell.level > 0:
                found.setdefault(cell.density, []).append(cell.matching)
        return {density: any(own) for density, own in found.items() if any(own) or None not in own}

    @property
    def ranges(self) -> tuple[tuple[float, SparsityRange], ...]:
        """Each density's sparsity range (P2 section 4.2.5): I, II or III; none without random pruning or IMP.

        A pruned network counts as matching where it does so from any rewinding moment that was tried.
        """
        random = self.one_of(*RANDOM)
        if self.imp is None or random is None:
            return ()
        of_imp, of_random = self.matches(self.imp), self.matches(random)
        both = sorted(set(of_imp) & set(of_random), reverse=True)
        return tuple((each, sparsity_range(of_random[each], of_imp[each])) for each in both)

    @property
    def has_results(self) -> bool:
        """Whether any pruned network was trained to an end."""
        return any(cell.level > 0 and cell.spread() is not None for cell in self.cells)


def find_tickets(study: TicketStudy) -> tuple[TicketFindings, ...]:
    """Work out what a study of tickets shows, setting by setting in the order given."""
    return tuple(_findings(study, setting) for setting in study.settings)


def _best(cells: Sequence[Cell]) -> Cell:
    """The one with the highest mean difference to dense, among those with a result on as many seeds as any."""

    def order(cell: Cell) -> tuple[int, bool, float, int]:
        return len(cell.differences), not cell.diverged, statistics.fmean(cell.differences), -(cell.step or 0)

    return max(cells, key=order)


def _reference(dense: Sequence[DenseRun]) -> dict[int, float]:
    found = ((run.seed, run.accuracy("test")) for run in dense)
    return {seed: accuracy for seed, accuracy in found if accuracy is not None}


def _findings(whole: TicketStudy, setting: str) -> TicketFindings:
    study = whole.at(setting)
    dense = tuple(sorted((run for run in study.dense if run.setting == setting), key=lambda run: run.seed))
    runs = [run for run in study.runs if run.setting == setting]
    at_chance = _at_chance(study.chance.get(setting), _reference(dense))
    return TicketFindings(
        study=study,
        setting=setting,
        seeds=tuple(sorted({*(run.seed for run in dense), *(run.seed for run in runs)})),
        cells=tuple(_cells(study, runs, _reference(dense), judged=not at_chance)),
        diverged=tuple(dict.fromkeys(_diverged(runs))),
        missing=tuple(dict.fromkeys(_named(run) for run in runs if run.missing)),
        at_chance=at_chance,
        dense_runs=dense,
        copies=tuple(each for each in study.copies if each.setting == setting),
        throughout=tuple(each for each in study.throughout if each.setting == setting),
        dilated=tuple(each for each in study.dilated if each.setting == setting),
        starts=tuple(each for each in study.starts if each.setting == setting),
    )


def _at_chance(chance: float | None, dense: Mapping[int, float]) -> bool:
    return chance is not None and bool(dense) and hardly_better(statistics.fmean(dense.values()), chance)


def _cells(
    study: TicketStudy, runs: Sequence[TicketRun], reference: Mapping[int, float], *, judged: bool
) -> Iterator[Cell]:
    names = {name: place for place, name in enumerate([DENSE, *study.tickets])}
    by: dict[tuple[int, int, int, str | None], list[TicketRun]] = {}
    for run in runs:
        place = (names[run.ticket], -1 if run.step is None else run.step, run.level, run.rewind)
        by.setdefault(place, []).append(run)
    for _, own in sorted(by.items(), key=lambda each: each[0][:3]):
        one = own[0]
        seeds = tuple(sorted(own, key=lambda run: run.seed))
        place_of = (one.ticket, one.level, one.density, one.rewind, one.step)
        yield Cell(*place_of, seeds, reference, study.matching_within, judged)


def _diverged(runs: Sequence[TicketRun]) -> Iterator[str]:
    for run in runs:
        if run.diverged is not None:
            before = " not trained, as what it begins with diverged" if run.untrained and run.level else ""
            yield f"{_named(run)},{before} after {moment_name(run.diverged)}"


def _named(run: TicketRun) -> str:
    """A run in a sentence; the dense run is that of every rewinding moment."""
    if run.level == 0:
        return f"{run.ticket}, seed {run.seed}"
    k = "" if run.rewind is None else f", {words.k(run.step or 0)}"
    return f"{run.ticket}, {words.left(run.density)}{k}, seed {run.seed}"
