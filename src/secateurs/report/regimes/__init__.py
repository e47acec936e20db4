"""The report of a study of regimes (P4): rows become phase diagrams, tables, sentences and one HTML page."""

from secateurs.report.regimes.cells import Cell
from secateurs.report.regimes.claims import Change, Claim, Order, Tally, by_regime, directions, moves, steps
from secateurs.report.regimes.findings import RegimeFindings, find_regimes
from secateurs.report.regimes.page import render_regimes, write_regimes_report
from secateurs.report.regimes.rows import Axis, RegimeCellRow, RegimeStudy, RegimeTerms, pairs_of
from secateurs.report.regimes.sentences import summary
from secateurs.report.regimes.tables import TABLES
from secateurs.report.regimes.terminal import show_regimes

__all__ = [
    "TABLES",
    "Axis",
    "Cell",
    "Change",
    "Claim",
    "Order",
    "RegimeCellRow",
    "RegimeFindings",
    "RegimeStudy",
    "RegimeTerms",
    "Tally",
    "by_regime",
    "directions",
    "find_regimes",
    "moves",
    "pairs_of",
    "render_regimes",
    "show_regimes",
    "steps",
    "summary",
    "write_regimes_report",
]
