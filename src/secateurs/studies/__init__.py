"""Studies: procedures as graphs of jobs, and the recipes that describe them."""

from secateurs.studies.early_periods import Choice, EarlyPeriodsStudy, log_of
from secateurs.studies.recipe import EarlyPeriods, check, load_recipe, shipped
from secateurs.studies.sweep import Sweep

__all__ = ["Choice", "EarlyPeriods", "EarlyPeriodsStudy", "Sweep", "check", "load_recipe", "log_of", "shipped"]
