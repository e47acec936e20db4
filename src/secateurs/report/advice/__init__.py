"""The report of an advice (P4): whether a network that is to be pruned was trained too hot, too cold, or well."""

from secateurs.report.advice.findings import AdviceFindings, Verdict, find_advice
from secateurs.report.advice.page import render_advice, write_advice
from secateurs.report.advice.rows import AdviceStudy, Candidate, Knobs, Source, Spent
from secateurs.report.advice.terminal import show_advice

__all__ = [
    "AdviceFindings",
    "AdviceStudy",
    "Candidate",
    "Knobs",
    "Source",
    "Spent",
    "Verdict",
    "find_advice",
    "render_advice",
    "show_advice",
    "write_advice",
]
