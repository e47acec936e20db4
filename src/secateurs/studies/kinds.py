"""The kinds of study: what their recipes say, and how these become jobs.

A new kind is a schema, a plan, an entry here, and one in :data:`secateurs.papers.REPORTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from secateurs.studies.advice.plan import AdvicePlan
from secateurs.studies.early_periods import EarlyPeriodsStudy
from secateurs.studies.importance import ImportancePlan
from secateurs.studies.methods import MethodsPlan
from secateurs.studies.plan import Plan
from secateurs.studies.regimes.plan import RegimesPlan
from secateurs.studies.schema import EarlyPeriods, Importance, Methods, Regimes, Regret, StudyRecipe, Tickets
from secateurs.studies.schema.advice import Advice
from secateurs.studies.tickets.plan import TicketsPlan


@dataclass(frozen=True)
class Kind:
    """A kind of study: the ``schema`` of its recipes, and its ``plan`` of (recipe, device, setting)."""

    schema: type[StudyRecipe]
    plan: Callable[[Any, str, str], Plan]


STUDIES: dict[str, Kind] = {
    "advice": Kind(Advice, AdvicePlan),
    "early_periods": Kind(EarlyPeriods, EarlyPeriodsStudy),
    "importance": Kind(Importance, ImportancePlan),
    "methods": Kind(Methods, MethodsPlan),
    "regimes": Kind(Regimes, RegimesPlan),
    "regret": Kind(Regret, EarlyPeriodsStudy),
    "tickets": Kind(Tickets, TicketsPlan),
}
"""The only place where a name means a kind of study."""
