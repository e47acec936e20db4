"""The ground every figure is drawn on: our style whatever the user's, and the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from secateurs.core import DataError


@contextmanager
def our_style() -> Iterator[None]:
    """The same figure whatever the user's matplotlibrc says, and the same bytes each time."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "font.size": 11,
                "legend.fontsize": 10,
                "axes.spines.top": False,
                "svg.hashsalt": "secateurs",
                "svg.fonttype": "path",
            }
        )
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, without any global state behind it."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same bytes for the same numbers."""
    text = io.StringIO()
    with our_style():
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(text, format="svg", metadata=nothing)
    return text.getvalue()


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as ``.svg`` or ``.png`` (200 dots per inch), the same bytes for the same numbers.

    Raises:
        DataError: any other ending.
    """
    if path.suffix == ".svg":
        path.write_text(svg(figure), encoding="utf-8")
    elif path.suffix == ".png":
        with our_style():
            figure.savefig(path, format="png", dpi=200, metadata={"Software": None})
    else:
        raise DataError(f"figure {path.name!r}: write it as .svg or .png, not {path.suffix!r}")
    return path
