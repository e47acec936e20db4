"""What networks cost: P1's tables and its figure of accuracy against cost, from what was counted and measured."""

import importlib
from typing import TYPE_CHECKING, Any

from secateurs.report.costs.choice import against_of, trade_off_alt, trade_off_caption
from secateurs.report.costs.csv_rows import COST_COLUMNS, cost_columns
from secateurs.report.costs.measures import LAYOUT, MEASURES
from secateurs.report.costs.rows import Costed
from secateurs.report.costs.table import CostCell, CostLine, CostTable, cost_table

if TYPE_CHECKING:
    from secateurs.report.costs.figure import trade_off


def __getattr__(name: str) -> Any:
    if name != "trade_off":  # matplotlib is loaded when something is drawn
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.figure").trade_off


__all__ = [
    "COST_COLUMNS",
    "LAYOUT",
    "MEASURES",
    "CostCell",
    "CostLine",
    "CostTable",
    "Costed",
    "against_of",
    "cost_columns",
    "cost_table",
    "trade_off",
    "trade_off_alt",
    "trade_off_caption",
]
