"""The recipe of P3's analyses: how measures of importance go together along a dense run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from secateurs.core import Moment
from secateurs.studies.schema.common import (
    END,
    Growth,
    MomentOrEnd,
    StudyRecipe,
    no_moment_twice,
    outside,
)
from secateurs.train.frozen import MomentText

Unit = Literal["channels", "weights"]


class Importance(StudyRecipe):
    """P3 sections 4.2 and 4.3, appendices G to I: dense runs, and what importance is made of along them.

    Attributes:
        unit: filters, single weights of convolutions, or both.
        every: at the end of each so-manieth epoch, the change of magnitude over that epoch is correlated
            with loss preservation, beside the distance of its two masks (P3 figures 2, 31, 35); 0: never.
        scatters: moments at which theta' Hg is compared with theta' g (figures 3, 13-15, 32-34, 36-38).
        mask_density: kept / total of the masks; P3 marks 20 % for pruning.
        points: at most so many pairs are kept for each scatter plot; coefficients are of all of them.
        examples_per_class: training examples that g and Hg are taken over, the same at each moment.
        micro_batch: examples per pass, which bounds memory.
        depthwise: false leaves depthwise convolutions out, as P3 does in MobileNet.
        exclude: names of modules or parameters that are not looked at.
        gradient_norms: log the layers' gradient norms, epoch by epoch (figure 21).
    """

    grows: ClassVar[Mapping[str, Growth]] = {**StudyRecipe.grows, "scatters": "free"}

    study: Literal["importance"] = "importance"
    unit: Literal["channels", "weights", "both"] = "both"
    every: MomentText = "10ep"
    scatters: tuple[MomentOrEnd, ...] = (0,)
    mask_density: float = Field(0.8, gt=0, lt=1)
    points: int = Field(2000, gt=1, le=5000)
    examples_per_class: int = Field(10, gt=0)
    micro_batch: int = Field(128, gt=0)
    depthwise: bool = True
    exclude: tuple[str, ...] = ()
    gradient_norms: bool = True

    _no_moment_twice = field_validator("scatters")(no_moment_twice)

    @property
    def units(self) -> tuple[Unit, ...]:
        """What is compared: one of the two, or both."""
        return ("channels", "weights") if self.unit == "both" else (self.unit,)

    @property
    def change_epochs(self) -> tuple[int, ...]:
        """Epochs at the end of which the change over them is looked at."""
        step = _epochs(self.every)
        return tuple(range(step, self.train.epochs + 1, step)) if step else ()

    @property
    def scatter_epochs(self) -> tuple[int, ...]:
        """Whole epochs after which the scatter plots are of."""
        return tuple(self.train.epochs if moment == END else _epochs(moment) for moment in self.scatters)

    def faults(self) -> Iterator[str]:
        """Moments outside the run or inside an epoch, and a study that would measure nothing."""
        for moment in self.scatters:
            if fault := outside(moment, self.train.epochs) or _inside(moment):
                yield f"scatters: {fault}"
        if fault := outside(self.every, self.train.epochs) or _inside(self.every):
            yield f"every: {fault}"
        if len(set(self.scatter_epochs)) < len(self.scatters):
            yield f"scatters: says something twice: {', '.join(map(str, self.scatters))}"
        if not self.change_epochs and not self.scatters and not self.gradient_norms:
            yield "scatters: nothing is measured: say some, or every, or gradient_norms"
        if self.checkpoint_every != type(self).model_fields["checkpoint_every"].default:
            yield "checkpoint_every: runs of this kind keep no checkpoints: leave it out"


def _epochs(moment: str | int) -> int:
    return Moment.parse(moment, 1).steps


def _inside(moment: str | int) -> str | None:
    """What is wrong with a moment that is no epoch's end."""
    return f"{moment} is inside an epoch: measured is at the end of whole ones" if "it" in str(moment) else None
