"""Best and second best of a column or a row, as papers print them: bold and underlined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Mark = Literal["best", "second", ""]


def marks(values: Sequence[float | None], *, digits: int = 1, lower: bool = False) -> list[Mark]:
    """Which values are the best and the second best; equal as they are printed is equal.

    Of one value alone, or where all are alike, nothing is said; a second best there is of three or more. None takes no
    part.

    Args:
        values: as they are printed, but for rounding.
        digits: that are printed behind the point.
        lower: whether less is better.

    >>> marks([91.04, 91.0, 87.8, None, 80.0])
    ['best', 'best', 'second', '', '']
    >>> marks([0.5, 0.7, 0.6], lower=True), marks([1.0, None]), marks([2.0, 1.0])
    (['best', '', 'second'], ['', ''], ['best', ''])
    """
    printed = [None if value is None else round(value, digits) for value in values]
    places = sorted({each for each in printed if each is not None}, reverse=not lower)
    if len(places) < 2:
        return ["" for _ in values]
    named: dict[float, Mark] = dict(zip(places, ("best", "second") if len(places) > 2 else ("best",), strict=False))
    return ["" if each is None else named.get(each, "") for each in printed]
