"""What the looks along training say: courses over seeds, and how fast networks learn (P2 section 3.3.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secateurs.core.matching import early_stopping, least_dilation
from secateurs.report.curves import Spread
from secateurs.report.rows import number
from secateurs.report.tickets.cells import Cell
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.rows import DENSE, Dilated, TicketRun

PARTS = ("test", "validation", "train")
"""Parts of the data, the one that figures prefer first."""


@dataclass(frozen=True)
class Course:
    """Something at each step at which a cell's runs were looked at: its values over seeds, in order of steps."""

    steps: tuple[int, ...]
    values: tuple[tuple[float, ...], ...]


def course(cell: Cell, name: str) -> Course | None:
    """The course of ``name`` (``"test_accuracy"``), of the runs that went to the end; None: nobody looked.

    Runs that diverged, or are not done, would have the seeds change along the way.
    """
    at: dict[int, list[float]] = {}
    for run in cell.runs:
        for row in run.rows if run.diverged is None and not run.missing else ():
            value = number(row, name)
            if value is not None:
                at.setdefault(int(row["steps"]), []).append(value)
    return Course(tuple(sorted(at)), tuple(tuple(at[step]) for step in sorted(at))) if at else None


def looked_at(findings: TicketFindings) -> str | None:
    """The part of the data whose accuracy was looked at along training, test data where they were; None: none was."""
    rows = [row for cell in findings.cells for run in cell.runs for row in run.rows]
    return next((part for part in PARTS if any(number(row, f"{part}_accuracy") is not None for row in rows)), None)


@dataclass(frozen=True)
class Stop:
    """Where a run's validation loss was lowest: the step, and the test accuracy there (None: not looked at).

    ``last``: nobody looked later, so that it may be falling still.
    """

    step: int
    test: float | None
    last: bool = False


def stop_of(run: TicketRun) -> Stop | None:
    """The step of a run's minimum validation loss; None where it diverged, has no result, or nobody looked."""
    if run.diverged is not None or run.missing:
        return None
    rows = [row for row in run.rows if number(row, "validation_loss") is not None]
    steps = [int(row["steps"]) for row in rows]
    place = early_stopping(steps, [number(row, "validation_loss") for row in rows])
    if place is None:
        return None
    return Stop(steps[place], number(rows[place], "test_accuracy"), last=steps[place] == max(steps))


@dataclass(frozen=True)
class Speed:
    """When a cell's networks stop improving, by seed."""

    cell: Cell
    stops: dict[int, Stop]

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps of minimum validation loss."""
        return tuple(stop.step for stop in self.stops.values())

    @property
    def tests(self) -> tuple[float, ...]:
        """Test accuracies there, as far as they are known."""
        return tuple(stop.test for stop in self.stops.values() if stop.test is not None)

    @property
    def falling(self) -> bool:
        """Whether validation loss is lowest at the last look on every seed."""
        return all(stop.last for stop in self.stops.values())


def speeds(findings: TicketFindings) -> tuple[Speed, ...]:
    """The speed of dense and of every cell that begins at its ticket's earliest moment, or has no rewinding moment."""
    cells = [cell for name in (DENSE, *findings.tickets) for cell in findings.line(name, findings.first_of(name))]
    found = ((cell, {run.seed: stop for run in cell.runs if (stop := stop_of(run)) is not None}) for cell in cells)
    return tuple(Speed(cell, stops) for cell, stops in found if stops)


@dataclass(frozen=True)
class Dilation:
    """The least dilation delta* of a ticket at a level, by seed; None: it matches at no factor that was tried.

    It is chosen on test accuracy, seed by seed, against the dense network of the same seed, trained as the recipe
    says. Seeds without a result at every factor are left out.
    """

    ticket: str
    level: int
    density: float
    by_seed: dict[int, float | None]
    factors: tuple[float, ...]

    @property
    def known(self) -> tuple[float, ...]:
        """Delta* of the seeds that have one."""
        return tuple(each for each in self.by_seed.values() if each is not None)

    @property
    def never(self) -> tuple[int, ...]:
        """The seeds on which no factor was enough."""
        return tuple(seed for seed, each in self.by_seed.items() if each is None)

    @property
    def spread(self) -> Spread | None:
        """Mean and deviation over seeds; None where it is not matched on every one of them."""
        return None if self.never else Spread.of(self.known)


def dilations(findings: TicketFindings) -> tuple[Dilation, ...]:
    """Delta* of dense and of each ticket at each level, in order; nothing where dense is at chance."""
    if findings.at_chance:
        return ()
    by: dict[tuple[str, int], list[Dilated]] = {}
    for each in findings.dilated:
        by.setdefault((each.ticket, each.level), []).append(each)
    made = (_dilation(findings, by[place]) for name in (DENSE, *findings.tickets) for place in _of(name, by))
    return tuple(each for each in made if each.by_seed)


def _of(name: str, by: dict[tuple[str, int], list[Dilated]]) -> Iterator[tuple[str, int]]:
    yield from sorted(place for place in by if place[0] == name)


def _dilation(findings: TicketFindings, runs: Sequence[Dilated]) -> Dilation:
    reference, within = findings.dense_reference, findings.study.matching_within
    found: dict[int, float | None] = {}
    for seed in sorted({run.seed for run in runs}):
        own = [run for run in runs if run.seed == seed]
        if seed in reference and all(run.diverged is not None or run.accuracy("test") is not None for run in own):
            accuracies = [run.accuracy("test") for run in own]
            found[seed] = least_dilation([run.factor for run in own], accuracies, reference[seed], within)
    one = runs[0]
    return Dilation(one.ticket, one.level, one.density, found, tuple(sorted({run.factor for run in runs})))
