"""What a study of lottery tickets is made of: a ticket, what it is pruned by, looks, instability, dilation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator

from secateurs.core import Moment, Spec
from secateurs.studies.schema.common import no_moment_twice, no_repeats
from secateurs.studies.schema.pruning import MaskRecipe, ScorePart
from secateurs.train import Settings
from secateurs.train.frozen import MomentText

DENSE = "dense"
"""What the dense network is called where tickets are named."""

Look = Literal["train", "validation", "test"]
Level = Annotated[int, Field(ge=1)]


class TicketPruning(Settings):
    """How every level's mask is found; its density is the level's.

    Attributes:
        score, scope, examples_per_class, exclude: as in :class:`~secateurs.procedures.MaskSettings`.
    """

    score: ScorePart = Field(Spec("magnitude"), validate_default=True)
    scope: Literal["global", "layer", "erk"] = "global"
    examples_per_class: int = Field(10, gt=0)
    exclude: tuple[str, ...] = ()

    def at_density(self, density: float, score: Spec | None = None) -> MaskRecipe:
        """What finds the mask of a level, in one step; another ``score`` for random pruning."""
        return MaskRecipe(
            density=density,
            scope=self.scope,
            score=score or self.score,
            schedule="one_shot",
            steps=1,
            examples_per_class=self.examples_per_class,
            exclude=self.exclude,
        )


class TicketRecipe(Settings):
    """One way to a subnetwork: a line in the figures.

    Attributes:
        search: where masks come from. ``iterative``: from the end of the level before, trained as this ticket is, or
            as IMP where the weights are drawn anew or the mask is shuffled. ``one_shot``: from the end of the dense
            run. ``random``: from no training at all.
        weights: what is trained under the mask. ``rewound``: those of the dense run at k (Algorithms 1 and 4 of P2);
            ``redrawn``: others, drawn anew; ``trained``: those that the mask was found in, with the whole schedule
            again (Algorithm 2, learning rate rewinding), so that there is no k.
        shuffled: the mask is shuffled within each layer first.
        rewind, at_levels: of this ticket alone, instead of the study's.
    """

    search: Literal["iterative", "one_shot", "random"] = "iterative"
    weights: Literal["rewound", "redrawn", "trained"] = "rewound"
    shuffled: bool = False
    rewind: tuple[MomentText, ...] | None = Field(None, min_length=1)
    at_levels: tuple[Level, ...] | None = Field(None, min_length=1)

    _no_level_twice = field_validator("at_levels")(lambda levels: levels and no_repeats(levels))
    _no_moment_twice = field_validator("rewind")(lambda moments: moments and no_moment_twice(moments))

    @property
    def has_moment(self) -> bool:
        """Whether it starts from a moment k of the dense run."""
        return self.weights != "trained"

    @property
    def is_chain(self) -> bool:
        """Whether each of its levels starts where the one before ended."""
        return self.search == "iterative" and self.weights != "redrawn" and not self.shuffled

    def faults(self) -> Iterator[str]:
        """What does not go together, each with the field that says it."""
        if self.weights == "trained":
            if self.rewind is not None:
                yield "rewind: weights of the end are not rewound: leave rewind out, or set weights to rewound"
            if self.shuffled:
                yield "shuffled: weights of the end are trained under the mask that was found in them: leave it out"
            if self.search == "random":
                yield "weights: a random mask is found in no trained weights: set weights to rewound or redrawn"
        if self.search == "random" and self.shuffled:
            yield "shuffled: a random mask is at random places already: leave it out"


class LooksRecipe(Settings):
    """Loss and accuracy along training (P2 figures 3-1, 3-2, 3-8).

    Attributes:
        every: the network is looked at after each so-many steps or epochs, first of all before the first step, and
            where the run ends.
        parts: of the data. Nothing is chosen by what is seen, so that test data may be among them.
    """

    every: MomentText
    parts: tuple[Look, ...] = Field(("validation", "test"), min_length=1)

    _no_part_twice = field_validator("parts")(no_repeats)

    @field_validator("every")
    @classmethod
    def _some_training_between(cls, every: str | int) -> str | int:
        if Moment.parse(every, 1).steps == 0:
            raise ValueError("looks need some training between them: say 1ep, or 100it")
        return every


class TicketInstability(Settings):
    """Instability analysis of dense networks and subnetworks (P2 chapter 4); none unless ``of`` says whose.

    Attributes:
        copies: how many are compared, pair by pair; one more adds its run and its pairs alone. The run of the study
            itself is the first of them, with the order of data of the dense run.
        of: names of tickets, and ``dense``: at each of their k.
        levels: of the tickets.
        after: ``continue`` trains the copies from k to the end, ``replay`` for as many steps as the whole run has
            (P2 section 4.1.2).
        throughout: copies are compared after each so-many steps or epochs, too (P2 section 4.1.3). For that all
            copies of a network are trained side by side, in a job of their own: where it is asked for, neither it nor
            ``copies`` can change in a study that goes on, since all of them would be trained again.
        points: errors on the way between two copies, ends included.
    """

    copies: int = Field(3, ge=2)
    of: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    after: tuple[Literal["continue", "replay"], ...] = Field(("continue",), min_length=1)
    throughout: MomentText | None = None
    points: int = Field(30, ge=2)

    _nothing_twice = field_validator("of", "levels", "after")(no_repeats)

    @field_validator("throughout")
    @classmethod
    def _some_training_between(cls, throughout: str | int | None) -> str | int | None:
        if throughout is not None and Moment.parse(throughout, 1).steps == 0:
            raise ValueError("copies are compared after some training: say 1ep, or 100it")
        return throughout


class DilationRecipe(Settings):
    """Training that is made shorter or longer, schedule and all (P2 section 3.3.6); none unless ``of`` says whose.

    Attributes:
        factors: the run has so many times its epochs.
        of: names of tickets, and ``dense``: those that start from step 0.
        levels: of the tickets.
    """

    factors: tuple[Annotated[float, Field(gt=0)], ...] = tuple(tenths / 10 for tenths in range(2, 22))
    of: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()

    _nothing_twice = field_validator("factors", "of", "levels")(no_repeats)


class ReportedTicket(Settings):
    """An accuracy (a fraction) that a ``source`` reports, to stand beside what was measured.

    Without ``ticket`` it is the dense network's.
    """

    source: str
    accuracy: float = Field(ge=0, le=1)
    ticket: str | None = None
    density: float | None = None
    rewind: MomentText | None = None


__all__ = [
    "DENSE",
    "DilationRecipe",
    "LooksRecipe",
    "ReportedTicket",
    "TicketInstability",
    "TicketPruning",
    "TicketRecipe",
]
