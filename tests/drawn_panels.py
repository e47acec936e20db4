"""What panels of made-up copies show: their titles, and their lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from made_copies import study
from secateurs.report.methods.sheet import Panel, sheet
from secateurs.report.tickets import TicketFindings, find_tickets
from secateurs.report.words import SPACE

Panels = Callable[[TicketFindings], Iterable[Panel]]


def panels_of(figure: Panels, **made: Any) -> list[Panel]:
    """The panels of a figure of a made-up study."""
    return list(figure(find_tickets(study(**made))[0]))


def titles(panels: Iterable[Panel]) -> list[str]:
    return [panel.title.replace(SPACE, " ") for panel in panels]


def drawn(panel: Panel) -> dict[str, tuple[list[float], list[float]]]:
    """The lines of a panel by their label: where, and how high."""
    (axes,) = sheet([panel]).axes
    lines = {str(line.get_label()).replace(SPACE, " "): line for line in axes.lines}
    return {
        name: (list(line.get_xdata()), pytest.approx(list(line.get_ydata()), nan_ok=True))
        for name, line in lines.items()
    }
