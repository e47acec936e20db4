"""The report: rows of a study become figures, tables, sentences and one self-contained HTML page.

It never touches a network: it is given plain rows (:class:`Study`), works out what they show
(:func:`find`) and writes it down for a person (:func:`write_report`, :func:`show`), and two studies
side by side (:func:`compare`, :func:`write_comparison`). A study of methods has its own rows
(:class:`MethodStudy`) and report (:func:`find_methods`, :func:`write_methods_report`,
:func:`show_methods`); so have lottery tickets (:class:`TicketStudy`, :func:`find_tickets`,
:func:`write_tickets_report`, :func:`show_tickets`) and the regret benchmark (:class:`RankingStudy`,
:func:`write_ranking_report`, :func:`show_ranking`). ``Progress`` shows a graph of jobs at work in a terminal.
"""

import importlib
from typing import TYPE_CHECKING, Any

from secateurs.report.changes import Change, changes
from secateurs.report.compare import Comparison, Pair, compare
from secateurs.report.comparison import render_comparison, write_comparison
from secateurs.report.curves import CurvePoint, SignalCurve, SignalPeak, Spread
from secateurs.report.differences import Difference
from secateurs.report.findings import Divergence, Findings, find
from secateurs.report.methods import (
    MethodFindings,
    MethodRun,
    MethodStudy,
    ReportedResult,
    find_methods,
    show_methods,
    write_methods_report,
)
from secateurs.report.page import Written, render, write_report
from secateurs.report.rank import Correlation, ranks, spearman
from secateurs.report.ranking import RankingStudy, show_ranking, write_ranking_report
from secateurs.report.regret import Choice, TriggerResult, bootstrap_interval
from secateurs.report.rows import GRID, DenseRun, InstabilityRun, Provenance, PrunedRun, Study
from secateurs.report.sentences import summary
from secateurs.report.tables import COLUMNS, columns_of, tables, to_csv, write_tables
from secateurs.report.terminal import Progress, show, show_comparison
from secateurs.report.tickets import (
    TicketFindings,
    TicketRun,
    TicketStudy,
    find_tickets,
    show_tickets,
    write_tickets_report,
)

if TYPE_CHECKING:
    from secateurs.report.canvas import save, svg
    from secateurs.report.figure import draw
    from secateurs.report.multiples import draw_learning_rate, draw_panels

_DRAWING = {
    **{"save": "canvas", "svg": "canvas", "draw": "figure"},
    **{"draw_learning_rate": "multiples", "draw_panels": "multiples"},
}
"""Names that are imported when they are first asked for: matplotlib is slow to load, and few ask."""


def __getattr__(name: str) -> Any:
    if name not in _DRAWING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_DRAWING[name]}"), name)


__all__ = [
    "COLUMNS",
    "GRID",
    "Change",
    "Choice",
    "Comparison",
    "Correlation",
    "CurvePoint",
    "DenseRun",
    "Difference",
    "Divergence",
    "Findings",
    "InstabilityRun",
    "MethodFindings",
    "MethodRun",
    "MethodStudy",
    "Pair",
    "Progress",
    "Provenance",
    "PrunedRun",
    "RankingStudy",
    "ReportedResult",
    "SignalCurve",
    "SignalPeak",
    "Spread",
    "Study",
    "TicketFindings",
    "TicketRun",
    "TicketStudy",
    "TriggerResult",
    "Written",
    "bootstrap_interval",
    "changes",
    "columns_of",
    "compare",
    "draw",
    "draw_learning_rate",
    "draw_panels",
    "find",
    "find_methods",
    "find_tickets",
    "ranks",
    "render",
    "render_comparison",
    "save",
    "show",
    "show_comparison",
    "show_methods",
    "show_ranking",
    "show_tickets",
    "spearman",
    "summary",
    "svg",
    "tables",
    "to_csv",
    "write_comparison",
    "write_methods_report",
    "write_ranking_report",
    "write_report",
    "write_tables",
    "write_tickets_report",
]
