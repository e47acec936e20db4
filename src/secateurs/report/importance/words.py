"""Words and notes of the report of P3's analyses; formulas are written as people type them."""

from __future__ import annotations

from secateurs.report.curves import Spread
from secateurs.report.importance.rows import UNITS
from secateurs.report.words import NOTHING

GAMMA = "\N{GREEK SMALL LETTER GAMMA}"

CHANGED = {"channels": f"|{GAMMA} Δ{GAMMA}|", "weights": "|θ Δθ|"}
"""What the change of magnitude is, by unit."""

LOSS = {"channels": "|Σ θ g|", "weights": "|θ g|"}
"""Loss preservation, by unit."""

CHANGES = (
    "Pearson's coefficient, over all units of the network, of the change of magnitude over the epoch just passed "
    f"(filters: |{GAMMA} Δ{GAMMA}|, {GAMMA} the scale of the batch norm that follows; weights: |θ Δθ|) with loss "
    "preservation at its end "
    "(|Σ θ g| over a filter, P3 eq. 3; |θ g|), and the distance of the two ends' masks. Means over seeds, bands of one "
    "standard deviation."
)
FLOWS = (
    "θ'Hg against θ'g. In a panel's title the mean over seeds of Pearson's coefficient over all units; the points are "
    "those of one seed, a draw where there are many."
)
NORMS = (
    "Norm of the training gradient of each layer that was looked at, in the mean over the steps of each epoch and over "
    "seeds; layers from the first, light, to the last, dark."
)
MEASURED = (
    "Gradient and Hessian are those of the mean loss over a balanced draw of training examples, with running "
    "statistics and temperature 1, with respect to the weights of convolutions and linear layers that are not "
    "excluded. Filters are looked at one by one, also where residual adds couple them."
)


def units(unit: str) -> str:
    """``"filters"`` or ``"weights"``."""
    return UNITS[unit]


def coefficient(spread: Spread | None) -> str:
    """A correlation coefficient or a distance for a table.

    >>> coefficient(Spread(0.853, 0.021, 3)), coefficient(Spread(-0.5, None, 1)), coefficient(None)
    ('0.85 ± 0.02', '−0.50', '–')
    """
    if spread is None:
        return NOTHING
    deviation = "" if spread.sd is None else f" ± {spread.sd:.2f}"
    return f"{two(spread.mean)}{deviation}"


def two(value: float) -> str:
    """A coefficient to two places; what rounds to nothing has no sign.

    >>> two(-0.001), two(-0.25)
    ('0.00', '−0.25')
    """
    text = f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
    return "0.00" if text == "\N{MINUS SIGN}0.00" else text


def distance(spread: Spread | None) -> str:
    """A mask distance for a table, in the format of the coefficients; what is too small for it is said to be so.

    >>> distance(Spread(0.00312, None, 1)), distance(Spread(0.25, 0.015, 2)), distance(Spread(0.0, 0.0, 2))
    ('< 0.01', '0.25 ± 0.01', '0.00 ± 0.00')
    """
    if spread is not None and 0 < spread.mean < 0.005:
        return "< 0.01"
    return coefficient(spread)
