"""The files of the report of one run that prunes itself."""

from __future__ import annotations

from pathlib import Path

from secateurs.jobs.files import write_json
from secateurs.report.automatic.result import AutomaticResult


def write_automatic(result: AutomaticResult, figure: Path, numbers: Path) -> tuple[Path, Path]:
    """Draw the signals' courses as PNG or SVG, and write all numbers as JSON, last of all.

    Raises:
        StoreError: when a file cannot be written.
    """
    from secateurs.report.automatic.figure import draw_automatic  # matplotlib is slow to load
    from secateurs.report.canvas import save

    save(draw_automatic(result), figure)
    write_json(numbers, result.to_json())
    return figure, numbers
