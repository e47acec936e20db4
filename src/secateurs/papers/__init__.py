"""The papers: each one's studies and its figures, nothing else.

``p0_early_periods``: P0's curves. ``methods``: P1's tables 1, 2, 5 and 6 and figures 1 and 3, P2's chapter 5, P3's
tables 1 to 3 and its curves, which are one kind of study; what is a paper's own in it stands in ``p1_early_crop``,
``p2_lottery_tickets`` and ``p3_gradient_flow``, the last one with P3's analyses of dense runs. ``p2_tickets``: P2's
chapters 3 and 4. ``p4_three_regimes``: P4's phase diagrams and what follows from them. ``when_to_prune``: the ranking
of triggers, no paper's.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

from rich.console import Console

from secateurs.report import Written
from secateurs.studies.folder import StudyFolder


class Reporter(Protocol):
    """A module that turns the studies of one kind into reports."""

    def write(self, folder: StudyFolder) -> tuple[Any, Written]:
        """Write the report of the study in ``folder`` beside its results; return the study's rows, and the files."""
        ...

    def show(self, study: Any, console: Console) -> None:
        """Print what the rows say."""
        ...


REPORTS: dict[str, str] = {
    "advice": "advice",
    "early_periods": "p0_early_periods",
    "importance": "p3_gradient_flow",
    "methods": "methods",
    "regimes": "p4_three_regimes",
    "regret": "when_to_prune",
    "tickets": "p2_tickets",
}
"""Kind of study -> the module here that reports on it."""


def reporter(kind: str) -> Reporter:
    """The module that reports on the studies of a kind.

    >>> reporter("early_periods").__name__
    'secateurs.papers.p0_early_periods'
    """
    return cast(Reporter, import_module(f"{__name__}.{REPORTS[kind]}"))
