"""The schema of recipes, one file for each kind of study."""

from secateurs.studies.schema.common import DataPart, ModelPart, SignalPart, StudyRecipe
from secateurs.studies.schema.dynamic import (
    DynamicImpMethodRecipe,
    DynamicImpRecipe,
    DynamicMethod,
    RegrowthMethodRecipe,
    RegrowthRecipe,
)
from secateurs.studies.schema.early_periods import EarlyPeriods
from secateurs.studies.schema.importance import Importance
from secateurs.studies.schema.instability import InstabilityRecipe
from secateurs.studies.schema.method import AnyMethod, ChannelMethodRecipe, MethodRecipe
from secateurs.studies.schema.methods import Methods, Reported
from secateurs.studies.schema.pruning import ChannelRecipe, ChoiceRecipe, MaskRecipe, PrunePart, PruneRecipe
from secateurs.studies.schema.regimes import Regimes
from secateurs.studies.schema.regret import Regret
from secateurs.studies.schema.ticket import LooksRecipe, TicketRecipe
from secateurs.studies.schema.tickets import Tickets

__all__ = [
    "AnyMethod",
    "ChannelMethodRecipe",
    "ChannelRecipe",
    "ChoiceRecipe",
    "DataPart",
    "DynamicImpMethodRecipe",
    "DynamicImpRecipe",
    "DynamicMethod",
    "EarlyPeriods",
    "Importance",
    "InstabilityRecipe",
    "LooksRecipe",
    "MaskRecipe",
    "MethodRecipe",
    "Methods",
    "ModelPart",
    "PrunePart",
    "PruneRecipe",
    "Regimes",
    "Regret",
    "RegrowthMethodRecipe",
    "RegrowthRecipe",
    "Reported",
    "SignalPart",
    "StudyRecipe",
    "TicketRecipe",
    "Tickets",
]
