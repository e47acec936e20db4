"""The report of P3's analyses: how measures of importance go together along dense runs."""

from secateurs.report.importance.findings import ImportanceFindings, find_importance
from secateurs.report.importance.page import render_importance, write_importance_report
from secateurs.report.importance.rows import ImportanceRun, ImportanceStudy
from secateurs.report.importance.sentences import summary
from secateurs.report.importance.tables import COLUMNS, tables
from secateurs.report.importance.terminal import show_importance

__all__ = [
    "COLUMNS",
    "ImportanceFindings",
    "ImportanceRun",
    "ImportanceStudy",
    "find_importance",
    "render_importance",
    "show_importance",
    "summary",
    "tables",
    "write_importance_report",
]
