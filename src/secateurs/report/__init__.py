"""The report: rows of a study become figures, tables, sentences and one self-contained HTML page.

It never touches a network: it is given plain rows (:class:`Study`), works out what they show
(:func:`find`) and writes it down for a person (:func:`write_report`, :func:`show`). ``Progress``
shows a graph of jobs at work in a terminal.
"""

from secateurs.report.curves import CurvePoint, SignalCurve, SignalPeak, Spread
from secateurs.report.figure import draw, save, svg
from secateurs.report.findings import Divergence, Findings, find
from secateurs.report.page import Written, render, write_report
from secateurs.report.regret import Choice, TriggerResult, bootstrap_interval
from secateurs.report.rows import GRID, DenseRun, Provenance, PrunedRun, Study
from secateurs.report.sentences import summary
from secateurs.report.tables import COLUMNS, tables, to_csv, write_tables
from secateurs.report.terminal import Progress, show

__all__ = [
    "COLUMNS",
    "GRID",
    "Choice",
    "CurvePoint",
    "DenseRun",
    "Divergence",
    "Findings",
    "Progress",
    "Provenance",
    "PrunedRun",
    "SignalCurve",
    "SignalPeak",
    "Spread",
    "Study",
    "TriggerResult",
    "Written",
    "bootstrap_interval",
    "draw",
    "find",
    "render",
    "save",
    "show",
    "summary",
    "svg",
    "tables",
    "to_csv",
    "write_report",
    "write_tables",
]
