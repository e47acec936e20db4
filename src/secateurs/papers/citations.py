"""How the papers are cited whose figures and tables a study regenerates."""

from __future__ import annotations

import re
from importlib import import_module

from secateurs.studies.folder import Ordered

_MODULES = {
    "P0": "p0_early_periods",
    "P1": "p1_early_crop",
    "P2": "p2_lottery_tickets",
    "P3": "p3_gradient_flow",
    "P4": "p4_three_regimes",
}
"""Each paper's module, which has its ``CITATION``."""


def papers_of(ordered: Ordered) -> tuple[str, ...]:
    """The papers that a study regenerates something of: named in its ``figure``, else by its recipe; maybe none."""
    told = re.findall(r"\bP\d\b", ordered.recipe.figure) or [ordered.name.partition("/")[0].upper()]
    return tuple(paper for paper in dict.fromkeys(told) if paper in _MODULES)


def citation(ordered: Ordered) -> str:
    """The entries of these papers, for BibTeX."""
    found = (import_module(f"secateurs.papers.{_MODULES[paper]}") for paper in papers_of(ordered))
    return "\n\n".join(str(module.CITATION) for module in found)
