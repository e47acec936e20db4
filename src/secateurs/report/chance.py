"""Networks that are hardly better than guessing: nothing that follows from their accuracy means anything."""

from __future__ import annotations

BEYOND_CHANCE = 0.05
"""Networks must beat guessing by this, or by half its accuracy where that is less (ten classes or more)."""


def hardly_better(accuracy: float, chance: float) -> bool:
    """Whether an accuracy is hardly better than that of guessing; both are fractions.

    >>> hardly_better(0.14, 0.1), hardly_better(0.2, 0.1)
    (True, False)
    """
    return accuracy <= chance + min(chance / 2, BEYOND_CHANCE)


def against(accuracy: float, chance: float) -> str:
    """Both in percent, for sentences.

    >>> against(0.123, 0.1).replace("\N{NO-BREAK SPACE}", " ")
    '12.3 against 10 %'
    """
    return f"{100 * accuracy:.1f} against {100 * chance:.3g}\N{NO-BREAK SPACE}%"
