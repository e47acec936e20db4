"""The figures of :mod:`secateurs.report.regimes.applied`; imported only where something is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.report.regimes import diagram, lines, rho, rho_told, selection, tuning
from secateurs.report.regimes.drawn import Figure
from secateurs.report.regimes.findings import RegimeFindings

FIGURES: tuple[Figure[RegimeFindings], ...] = (
    Figure("tuning", "Algorithm 1: whether to raise the temperature", tuning.panels, tuning.caption, columns=2),
    Figure(
        "selection",
        "Algorithms 2 and 2.1: which dense network to prune",
        selection.panels,
        selection.caption,
        columns=3,
    ),
    Figure("rho", "SAM's rho by the highest CKA", rho.cka_panels, rho_told.cka_caption, sheet=diagram.sheet),
    Figure("rho-error", "Test error by SAM's rho", rho.error_panels, rho_told.error_caption),
)
"""Of one setting."""

OVERALL: tuple[Figure[Sequence[RegimeFindings]], ...] = (
    Figure("lines", "Settings beside each other", lines.panels, lines.caption, columns=3),
)
"""Of several settings that have the same kind of temperature and load."""
