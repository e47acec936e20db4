"""What the report of a study of tickets is given: plain rows of its runs, as they came from the store.

A **ticket** is a line in the figures: a way of finding sparse networks (iterative magnitude pruning, its baselines). At
each **level** it keeps fewer weights; level 0 is the dense network, whose runs go by the name :data:`DENSE`. A
**rewinding moment** k is where its weights are taken from and its training begins; tickets that go on from trained
weights have none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from secateurs.core import DataError, did_you_mean
from secateurs.report.rows import DenseRun, Provenance, Summarised

DENSE = "dense"
"""The name of the dense network among the tickets: level 0, density 1."""

Row = Mapping[str, Any]
"""A row of metrics."""

Role = Literal["iterative", "one-shot", "trained", "trained at once", "redrawn", "shuffled", "random"]
"""What a ticket is: IMP, iterative or one shot; LRR or one-shot pruning after training (weights of the end); or a
baseline: IMP's mask with weights drawn anew, IMP's mask shuffled within layers, a random mask."""

Band = Literal["deviation", "range"]
"""What a band in a figure is: one standard deviation to each side (P2 chapter 4), or least to most (chapter 3)."""

After = Literal["continue", "replay"]
"""What a copy does after the moment k: train the steps that are left, or all of them from step 0 of the schedule."""


@dataclass(frozen=True)
class TicketRun(Summarised):
    """One network that was trained to the end: a cell of the study.

    Attributes:
        level: how many times it was pruned; 0 is the dense network.
        density: kept / total of the prunable weights that was asked for, 1 at level 0.
        rewind: the moment k whose weights it began with, as the recipe says it; None: it has none.
        step: k in steps; None where ``rewind`` is.
        summary: ``test_accuracy, validation_accuracy, train_accuracy, diverged, seconds``, and the facts of the mask
            that was trained; {} without a result (not run yet, or its job failed).
        rows: the looks at it along training (``steps, validation_loss, test_accuracy, ...``), in order of steps.
        mask: the facts of the mask as it was found (``density, layer_densities, empty_layers``); {} where none was.
    """

    setting: str
    ticket: str
    level: int
    density: float
    rewind: str | None
    step: int | None
    seed: int
    summary: Row = field(default_factory=dict)
    rows: Sequence[Row] = ()
    mask: Row = field(default_factory=dict)

    @property
    def missing(self) -> bool:
        """Whether it neither diverged nor has a result."""
        return self.diverged is None and not self.summary

    @property
    def untrained(self) -> bool:
        """Whether what it was to begin with, the dense run or a level before, diverged: nothing was trained."""
        return self.diverged is not None and "test_accuracy" not in self.summary

    @property
    def empty_layers(self) -> tuple[str, ...]:
        """The layers that have no weight left, by name."""
        found = self.summary.get("empty_layers", self.mask.get("empty_layers", ()))
        return tuple(str(name) for name in found)


@dataclass(frozen=True)
class Copies(Summarised):
    """Copies of one network at k, trained with another noise of SGD each and compared with each other.

    In ``TicketStudy.copies`` they are compared at the end; in ``TicketStudy.throughout`` at moments along training,
    said by ``until`` of each row.

    Attributes:
        after: what the copies did after k.
        rows: one for each pair, part (``"train"``, ``"test"``) and ``until``: ``seeds, part, until, instability,
            loss_increase, alphas, errors, losses, l2, cosine, differing, loss_l2, examples``. Errors and
            instability are fractions; ``alphas`` go from 0 to 1, ``errors`` and ``losses`` are the values there.
        summary: ``train_instability, test_instability, stable, l2_from_initialisation, l2_to_the_end, diverged,
            diverged_copies``; {} without a result.
    """

    setting: str
    ticket: str
    level: int
    density: float
    rewind: str | None
    step: int | None
    seed: int
    after: After = "continue"
    rows: Sequence[Row] = ()
    summary: Row = field(default_factory=dict)

    def rows_of(self, part: str) -> tuple[Row, ...]:
        """The rows of one part of the data, in the order logged."""
        return tuple(row for row in self.rows if row.get("part") == part)


@dataclass(frozen=True)
class Dilated(Summarised):
    """One network trained from k = 0 with its schedule and its steps multiplied by ``factor`` (P2 section 3.3.6)."""

    setting: str
    ticket: str
    level: int
    density: float
    seed: int
    factor: float
    summary: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Start(Summarised):
    """The dense network at a rewinding moment: ``summary`` holds its accuracies and ``l2_from_initialisation``."""

    setting: str
    seed: int
    rewind: str
    step: int
    summary: Row = field(default_factory=dict)


@dataclass(frozen=True)
class ReportedTicket:
    """An accuracy (a fraction) that ``source`` reports: of a ticket, or of the dense network (None).

    ``rewind``: from which moment; None: the earliest one, or the ticket has none.
    """

    setting: str
    source: str
    accuracy: float
    ticket: str | None = None
    density: float | None = None
    rewind: str | None = None


@dataclass(frozen=True)
class Terms:
    """What one setting has of its own, where settings differ; see :class:`TicketStudy`."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    matching_within: float = 0.002
    band: Band = "deviation"
    constant_rate: bool = False


@dataclass(frozen=True)
class TicketStudy:
    """A whole study of tickets.

    Attributes:
        tickets: each ticket's name and what it is in words, in the order of the report; :data:`DENSE` is not in it.
        roles: what each ticket is; one without a role is drawn and listed, and takes part in no comparison.
        dense: the dense runs with their logs; their cells are in ``runs`` as well.
        runs: every trained network, :data:`DENSE` (one for each rewinding moment) included.
        copies: copies compared at the end of training.
        throughout: copies compared along training; ``until`` is said by their rows.
        starts: the dense network at each rewinding moment.
        steps: by setting, how many steps training takes (T).
        steps_per_epoch: by setting.
        chance: by setting, the accuracy (a fraction) of guessing, where it is known.
        matching_within: a ticket matches when it is at most this much less accurate than dense (a fraction).
        band: what bands in figures are.
        constant_rate: whether the learning rate stays as it is from the first step to the last.
        terms: by setting, what holds there in place of ``roles``, ``matching_within``, ``band``, ``constant_rate``.
        scale: the scale that was run, where it is not the paper's.

    Raises:
        DataError: something given twice, a name that is not in ``tickets``, or :data:`DENSE` among them.
    """

    title: str
    dense: Sequence[DenseRun]
    runs: Sequence[TicketRun]
    tickets: Mapping[str, str]
    steps: Mapping[str, int]
    steps_per_epoch: Mapping[str, int]
    roles: Mapping[str, Role] = field(default_factory=dict)
    copies: Sequence[Copies] = ()
    throughout: Sequence[Copies] = ()
    dilated: Sequence[Dilated] = ()
    starts: Sequence[Start] = ()
    chance: Mapping[str, float] = field(default_factory=dict)
    matching_within: float = 0.002
    band: Band = "deviation"
    constant_rate: bool = False
    terms: Mapping[str, Terms] = field(default_factory=dict)
    reported: Sequence[ReportedTicket] = ()
    provenance: Provenance = field(default_factory=Provenance)
    citation: str = ""
    notes: Sequence[str] = ()
    figure: str = ""
    scale: str = ""

    def __post_init__(self) -> None:
        if DENSE in self.tickets:
            raise DataError(f"study {self.title!r}: {DENSE!r} is the dense network: give the ticket another name")
        for place, count in Counter(self._places()).items():
            if count > 1:
                raise DataError(f"study {self.title!r}: {place} is given {count} times: give each run once")
        for name in self._names():
            if name not in self.tickets and name != DENSE:
                raise DataError(f"study {self.title!r}: unknown ticket {name!r}{did_you_mean(name, self.tickets)}")
        for setting in self.settings:
            for known, what in ((self.steps, "steps"), (self.steps_per_epoch, "steps_per_epoch")):
                if setting not in known:
                    raise DataError(f"study {self.title!r}: {what} lacks the setting {setting!r}: give it too")

    def _places(self) -> Iterator[tuple[object, ...]]:
        for root in self.dense:
            yield ("dense run", root.setting, root.seed)
        for run in self.runs:
            yield ("run", run.setting, run.ticket, run.level, run.rewind, run.seed)
        for kind, several in (("copies", self.copies), ("throughout", self.throughout)):
            for own in several:
                yield (kind, own.setting, own.ticket, own.level, own.rewind, own.seed, own.after)
        for each in self.dilated:
            yield ("dilated run", each.setting, each.ticket, each.level, each.seed, each.factor)
        for start in self.starts:
            yield ("start", start.setting, start.seed, start.rewind)

    def _names(self) -> Iterator[str]:
        for runs in (self.runs, self.copies, self.throughout, self.dilated):
            yield from (run.ticket for run in runs)
        yield from self.roles
        yield from (name for terms in self.terms.values() for name in terms.roles)
        yield from (each.ticket for each in self.reported if each.ticket is not None)

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings, in the order given."""
        return tuple(dict.fromkeys([*(run.setting for run in self.dense), *(run.setting for run in self.runs)]))

    def at(self, setting: str) -> TicketStudy:
        """The study on the terms of one setting."""
        terms = self.terms.get(setting)
        return self if terms is None else replace(self, terms={}, **vars(terms))

    def of_role(self, *roles: Role) -> tuple[str, ...]:
        """The tickets that have one of these roles, in the study's order."""
        return tuple(name for name in self.tickets if self.roles.get(name) in roles)
