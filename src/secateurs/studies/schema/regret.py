"""The recipe of the regret benchmark: P0's study in many settings, to choose triggers on some and judge on others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from secateurs.core import did_you_mean
from secateurs.studies.schema.common import Growth
from secateurs.studies.schema.early_periods import EarlyPeriods


class Regret(EarlyPeriods):
    """P0's study in each of the ``settings``; what a trigger loses is told apart for those that are ``judged``.

    Attributes:
        judged: labels of the settings on which nothing was chosen; a default trigger is chosen on the others.
    """

    grows: ClassVar[Mapping[str, Growth]] = {**EarlyPeriods.grows, "judged": "free"}
    for_all: ClassVar[frozenset[str]] = frozenset({"settings", "judged"})

    study: Literal["regret"] = "regret"
    judged: tuple[str, ...] = Field(())

    def faults(self) -> Iterator[str]:
        """Those of the study, labels that no setting bears, and settings with triggers of their own."""
        yield from super().faults()
        for label in self.judged:
            if not self.settings:
                yield f"judged: no setting {label!r}: the recipe has no settings"
            elif label not in self.settings:
                yield f"judged: no setting {label!r}{did_you_mean(label, self.settings)}"
        for label, change in self.settings.items():
            if "triggers" in change:
                yield f"settings.{label}.triggers: triggers are compared over all settings: say them once, outside"
            if "judged" in change:
                yield f"settings.{label}.judged: that is said once, outside, with the labels of the settings"
