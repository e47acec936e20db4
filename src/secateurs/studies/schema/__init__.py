"""The schema of recipes, one file for each kind of study."""

from secateurs.studies.schema.common import (
    DataPart,
    MaskRecipe,
    ModelPart,
    PruneRecipe,
    SignalPart,
    StudyRecipe,
)
from secateurs.studies.schema.early_periods import EarlyPeriods
from secateurs.studies.schema.instability import InstabilityRecipe
from secateurs.studies.schema.methods import MethodRecipe, Methods, Reported
from secateurs.studies.schema.regret import Regret

__all__ = [
    "DataPart",
    "EarlyPeriods",
    "InstabilityRecipe",
    "MaskRecipe",
    "MethodRecipe",
    "Methods",
    "ModelPart",
    "PruneRecipe",
    "Regret",
    "Reported",
    "SignalPart",
    "StudyRecipe",
]
