"""What a recipe says about instability analysis beside another study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from secateurs.studies.schema.common import no_moment_twice
from secateurs.train import Settings
from secateurs.train.frozen import MomentText


class InstabilityRecipe(Settings):
    """At which moments the dense run's stability to SGD noise is measured (P2, Algorithm 3); none unless said.

    Each moment costs what is left of the run for every copy but one: the dense run itself is the first of them.

    Attributes:
        moments: copies of the network at these moments are trained with other orders of the data.
        copies: how many are compared, pair by pair.
        after: they are trained for what is left of the run, or through all of it again.
        pruned: the network is pruned first, as ``prune`` says; all copies are then trained.
        points: errors on the way between two copies, ends included.
    """

    moments: tuple[MomentText, ...] = ()
    copies: int = Field(2, ge=2)
    after: Literal["continue", "replay"] = "continue"
    pruned: bool = False
    points: int = Field(30, ge=2)

    _no_moment_twice = field_validator("moments")(no_moment_twice)
