"""How methods are drawn: each the same in every figure, told apart by the colour-blind and in grey print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.lines import Line2D

from secateurs.report.methods.rows import MethodStudy

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B4478B", "#000000", "#3FA7DC", "#A87400", "#6A51A3")
"""After Okabe and Ito, darkened where they would be pale on paper."""

MARKERS = ("o", "s", "^", "D", "X", "v", "P", "p", "<", ">", "h")
STYLES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)), (0, (6, 2, 1, 2)))


@dataclass(frozen=True)
class Look:
    """The colour, marker and line of a method."""

    colour: str
    marker: str
    style: Any = "-"

    def line(self, label: str, *, marker: bool = True) -> dict[str, Any]:
        """What a plotted line is given."""
        own = {"marker": self.marker, "markersize": 5.0, "markeredgewidth": 0} if marker else {}
        return {"color": self.colour, "linestyle": self.style, "linewidth": 1.6, "label": label, **own}

    def entry(self, label: str) -> Line2D:
        """An entry of the legend."""
        return Line2D([], [], **self.line(label))


def _look(index: int) -> Look:
    # Eight colours, eleven markers, and another line after each round of colours: 88 looks, no two alike.
    return Look(COLOURS[index % 8], MARKERS[index % 11], STYLES[index // 8 % 4])


def looks_of(study: MethodStudy) -> Mapping[str, Look]:
    """The look of each method: plain ones first, in the study's order, then the changed ones."""
    ordered: Sequence[str] = [*study.plain, *study.base]
    return {name: _look(index) for index, name in enumerate(ordered)}


def family_looks(study: MethodStudy, plain: str) -> Mapping[str, Look]:
    """The looks in a panel of one method and its changes: the same change looks the same in all of them."""
    changes = list(dict.fromkeys(study.change_of(name) for name in study.methods if name in study.base))
    family = [name for name, base in study.base.items() if base == plain]
    return {plain: _look(0), **{name: _look(1 + changes.index(study.change_of(name))) for name in family}}
