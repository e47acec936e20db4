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
from secateurs.studies.schema.methods import MethodRecipe, Methods, Reported

__all__ = [
    "DataPart",
    "EarlyPeriods",
    "MaskRecipe",
    "MethodRecipe",
    "Methods",
    "ModelPart",
    "PruneRecipe",
    "Reported",
    "SignalPart",
    "StudyRecipe",
]
