"""The recipe of lottery tickets: levels x tickets x rewinding moments x replicates (P2 chapters 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from secateurs.core import Moment, did_you_mean
from secateurs.how import imp
from secateurs.studies.schema.common import (
    Growth,
    StudyRecipe,
    no_moment_twice,
    no_repeats,
    outside,
)
from secateurs.studies.schema.ticket import (
    DENSE,
    DilationRecipe,
    Level,
    LooksRecipe,
    ReportedTicket,
    TicketInstability,
    TicketPruning,
    TicketRecipe,
)
from secateurs.train.frozen import MomentText

_RATE = 0.2  # P2's, of what is left


class Tickets(StudyRecipe):
    """Subnetworks of many levels, each of many tickets at many rewinding moments k, trained, looked at and compared.

    Level 0 is the dense network. At level L are kept floor(density_L * N + 1/2) of N prunable weights.

    Attributes:
        prune: how each level's mask is found.
        levels: how many there are; level L has density (1 - rate)^L.
        rate: the share of what is left that each level drops; 0.2 where ``levels`` is said alone.
        densities: of the levels 1, 2, ..., falling, instead of ``levels`` and ``rate``.
        at_levels: where tickets are trained and shown; all by default. The levels below them are trained where
            masks come from them.
        rewind: moments k of the dense run that weights are rewound to.
        tickets: by name.
        looks: curves along training.
        instability, dilation: what else is trained.
        matching_within: a network matches the dense one whose accuracy is at most so much below its mean.
        band: what is drawn around means: from the least to the greatest replicate (chapter 3), or one standard
            deviation (chapter 4).
        reported: what others report.
    """

    grows: ClassVar[Mapping[str, Growth]] = {
        **StudyRecipe.grows,
        **dict.fromkeys(("levels", "at_levels", "rewind", "tickets.*.rewind", "tickets.*.at_levels"), "free"),
        **dict.fromkeys((f"instability.{field}" for field in ("of", "levels", "after")), "free"),
        **dict.fromkeys(("dilation", "matching_within", "band", "reported"), "free"),
        **dict.fromkeys(("tickets", "instability"), "labels"),
        "densities": "prefix",
    }

    study: Literal["tickets"] = "tickets"
    prune: TicketPruning = TicketPruning()
    levels: int | None = Field(None, gt=0)
    rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    densities: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    at_levels: tuple[Level, ...] | None = Field(None, min_length=1)
    rewind: tuple[MomentText, ...] = Field((0,), min_length=1)
    tickets: dict[str, TicketRecipe] = Field({})
    looks: LooksRecipe | None = None
    instability: TicketInstability = TicketInstability()
    dilation: DilationRecipe = DilationRecipe()
    matching_within: float = Field(0.002, ge=0)
    band: Literal["range", "deviation"] = "deviation"
    reported: tuple[ReportedTicket, ...] = ()

    _no_level_twice = field_validator("at_levels")(lambda levels: levels and no_repeats(levels))
    _no_moment_twice = field_validator("rewind")(no_moment_twice)

    @property
    def depth(self) -> int:
        """How many levels there are."""
        return self.levels or len(self.densities)

    @property
    def level_densities(self) -> tuple[float, ...]:
        """The densities of levels 1, 2, ..., the nearest floats to what was written."""
        if self.densities or not self.levels:
            return self.densities
        return imp(self.levels, _RATE if self.rate is None else self.rate)

    def density(self, level: int) -> float:
        """What a level keeps of the prunable weights, in (0, 1].

        >>> from secateurs.core import Spec
        >>> said = {"title": "t", "model": "lenet_300_100", "data": "digits", "train": {"epochs": 1}, "seeds": [0]}
        >>> recipe = Tickets.model_validate({**said, "levels": 3, "tickets": {"IMP": {}}})
        >>> [recipe.density(level) for level in range(4)]
        [1.0, 0.8, 0.64, 0.512]
        """
        return (1.0, *self.level_densities)[level]

    def levels_of(self, ticket: str) -> tuple[int, ...]:
        """Where a ticket is trained and shown, rising; of the dense network, level 0."""
        if ticket == DENSE:
            return (0,)
        own = self.tickets[ticket].at_levels or self.at_levels
        return tuple(sorted(own)) if own else tuple(range(1, self.depth + 1))

    def rewind_of(self, ticket: str) -> tuple[str | int, ...]:
        """The moments k that a ticket starts from, as they are written; none of one that has no k."""
        if ticket == DENSE:
            return self.rewind
        said = self.tickets[ticket]
        return (said.rewind or self.rewind) if said.has_moment else ()

    def as_compared(self) -> dict[str, Any]:
        """With the rate that holds; without instability where none is measured.

        How many copies are compared is a setting where they are compared throughout, and free where they are not.
        """
        said = super().as_compared() | {"rate": None if self.densities else self.rate or _RATE}
        if not self.instability.of:
            del said["instability"]
        elif self.instability.throughout is None:
            del said["instability"]["copies"]
        return said

    def faults(self) -> Iterator[str]:
        """Levels, moments and names that there are not, and tickets that make no sense."""
        yield from self._faults_of_levels()
        yield from self._faults_of_moments("rewind", self.rewind)
        for name, ticket in self.tickets.items():
            path = f"tickets.{name}"
            if not name.strip():
                yield "tickets: one has no name: give it one"
            if name == DENSE:
                yield f"{path}: that is what the network without a mask is called: give the ticket another name"
            yield from (f"{path}.{fault}" for fault in ticket.faults())
            yield from self._faults_of_moments(f"{path}.rewind", ticket.rewind or ())
            yield from self._beyond(f"{path}.at_levels", ticket.at_levels or ())
        for field, fault in (("looks.every", self.looks and outside(self.looks.every, self.train.epochs)),):
            if fault:
                yield f"{field}: {fault}"
        yield from self._faults_of_instability()
        yield from self._faults_of_dilation()
        for place, reported in enumerate(self.reported):
            if reported.ticket is not None and reported.ticket not in (*self.tickets, DENSE):
                yield f"reported.{place}.ticket: {self._unknown(reported.ticket)}"

    def _faults_of_levels(self) -> Iterator[str]:
        if self.densities:
            for field in ("levels", "rate"):
                if getattr(self, field) is not None:
                    yield f"{field}: densities say what each level keeps: leave {field} out, or densities"
            for one, other in zip(self.densities, self.densities[1:], strict=False):
                if other >= one:
                    yield f"densities: each level keeps less than the one before: {other:g} stands after {one:g}"
        elif self.levels is None:
            if self.rate is not None:
                yield "rate: of how many levels? Say levels"
            elif self.tickets:
                yield "levels: say how many, or densities"
        yield from self._beyond("at_levels", self.at_levels or ())

    def _beyond(self, path: str, levels: Iterable[int]) -> Iterator[str]:
        for level in levels:
            if level > self.depth:
                yield f"{path}: there is no level {level}: the last one is {self.depth}"

    def _faults_of_moments(self, path: str, moments: Iterable[str | int]) -> Iterator[str]:
        for moment in moments:
            if fault := outside(moment, self.train.epochs):
                yield f"{path}: {fault}"

    def _unknown(self, name: str) -> str:
        return f"unknown ticket {name!r}{did_you_mean(name, (*self.tickets, DENSE))}"

    def _faults_of_names(self, path: str, of: tuple[str, ...], levels: tuple[int, ...]) -> Iterator[str]:
        """Names that there are not, and levels that what is named is not trained at."""
        yield from self._beyond(f"{path}.levels", levels)
        known = [name for name in of if name in self.tickets]
        for name in of:
            if name != DENSE and name not in self.tickets:
                yield f"{path}.of: {self._unknown(name)}"
        if known and not levels:
            yield f"{path}.levels: say at which levels {known[0]!r} is meant"
        for name in known:
            if not self.tickets[name].has_moment:
                yield f"{path}.of: {name!r} trains the weights of the end, and starts from no moment: leave it out"
            missing = [level for level in levels if level <= self.depth and level not in self.levels_of(name)]
            if missing:
                yield f"{path}.levels: {name!r} is not trained at level {missing[0]}: put it into its at_levels"

    def _faults_of_instability(self) -> Iterator[str]:
        yield from self._faults_of_names("instability", self.instability.of, self.instability.levels)
        if fault := outside(self.instability.throughout, self.train.epochs):
            yield f"instability.throughout: {fault}"

    def _faults_of_dilation(self) -> Iterator[str]:
        yield from self._faults_of_names("dilation", self.dilation.of, self.dilation.levels)
        for name in self.dilation.of:
            known = name == DENSE or name in self.tickets
            if known and not any(Moment.parse(k, 1).steps == 0 for k in self.rewind_of(name) or (0,)):
                yield f"dilation.of: {name!r} starts from no step 0, which dilated runs do: put 0 into its rewind"


__all__ = ["Tickets"]
