"""The report of a study of methods (P2 chapter 5): rows become figures, tables, sentences and one HTML page."""

from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.compared import Ablation, Order, Paired, ablations, mean_ranks, orders
from secateurs.report.methods.findings import MethodFindings, find_methods
from secateurs.report.methods.page import render_methods, write_methods_report
from secateurs.report.methods.ranges import Ranges, Remaining, cheapest, lowest_matching, ranges
from secateurs.report.methods.replication import Line, Replication, replications
from secateurs.report.methods.rows import MethodRun, MethodStudy, NeverFired, ReportedResult
from secateurs.report.methods.sentences import summary
from secateurs.report.methods.tables import COLUMNS, tables
from secateurs.report.methods.terminal import show_methods

__all__ = [
    "COLUMNS",
    "Ablation",
    "Cell",
    "Group",
    "Line",
    "MethodFindings",
    "MethodRun",
    "MethodStudy",
    "NeverFired",
    "Order",
    "Paired",
    "Ranges",
    "Remaining",
    "Replication",
    "ReportedResult",
    "ablations",
    "cheapest",
    "find_methods",
    "lowest_matching",
    "mean_ranks",
    "orders",
    "ranges",
    "render_methods",
    "replications",
    "show_methods",
    "summary",
    "tables",
    "write_methods_report",
]
