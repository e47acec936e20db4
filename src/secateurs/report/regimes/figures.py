"""The figures of a setting in the order of the page; imported only where something is drawn."""

from __future__ import annotations

from secateurs.report.regimes import applied_figures, captions, diagram, scheme
from secateurs.report.regimes.applied_figures import OVERALL
from secateurs.report.regimes.drawn import Figure
from secateurs.report.regimes.findings import RegimeFindings

__all__ = ["FIGURES", "OVERALL"]

FIGURES: tuple[Figure[RegimeFindings], ...] = (
    Figure("regimes", "Regimes", scheme.panels, scheme.caption, sheet=diagram.sheet),
    Figure("diagram", "Phase diagram", diagram.panels, captions.caption, columns=2, sheet=diagram.sheet),
    *applied_figures.FIGURES,
)
"""P4 figure 1, then its figures 2 and 7 to 12, then those of its section 4."""
