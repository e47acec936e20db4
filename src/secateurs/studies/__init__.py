"""Studies: procedures as graphs of jobs, and the recipes that describe them."""

from secateurs.studies.automatic import AutomaticPlan
from secateurs.studies.early_periods import Choice, EarlyPeriodsStudy
from secateurs.studies.firing import log_of
from secateurs.studies.kinds import STUDIES, Kind
from secateurs.studies.methods import Cell, MethodsPlan
from secateurs.studies.plan import Plan
from secateurs.studies.recipe import check, load_recipe, shipped
from secateurs.studies.regimes.plan import RegimeCell, RegimesPlan
from secateurs.studies.schema import EarlyPeriods, Methods, Regimes, StudyRecipe, Tickets
from secateurs.studies.sweep import Sweep
from secateurs.studies.tickets.plan import TicketCell, TicketsPlan

__all__ = [
    "STUDIES",
    "AutomaticPlan",
    "Cell",
    "Choice",
    "EarlyPeriods",
    "EarlyPeriodsStudy",
    "Kind",
    "Methods",
    "MethodsPlan",
    "Plan",
    "RegimeCell",
    "Regimes",
    "RegimesPlan",
    "StudyRecipe",
    "Sweep",
    "TicketCell",
    "Tickets",
    "TicketsPlan",
    "check",
    "load_recipe",
    "log_of",
    "shipped",
]
