"""A signal's course as a few lines of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from secateurs.report.words import number_of

_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDEST = 4  # columns of one epoch


def plot(
    epochs: Sequence[float],
    values: Sequence[float],
    *,
    until: float,
    mark: float | None,
    width: int,
    height: int = 5,
    label: str = "",
) -> list[str]:
    """Bars over the epochs 1 to ``until``, an axis, and a line that points at ``mark`` with its ``label``.

    Bars begin at 0, at the lowest value where that is negative. In a run with more epochs than
    there are columns, the last value of those that share a column is shown.

    Args:
        epochs: at which there are values, rising.
        values: finite.
        until: the run's last epoch.
        mark: an epoch to point at.
        width: columns that there are, at least 20.
        height: lines of bars.
        label: stands beside the mark.

    >>> print("\\n".join(plot([1, 2, 3], [4.0, 2.0, 1.0], until=6, mark=3, width=30, height=2, label="epoch 3")))
    4 │████
      │████████▄▄▄▄
    0 └────────────────────────
       1        ▲ epoch 3     6
    """
    high, low = max([*values, 0.0]), min([*values, 0.0])
    labels = [number_of(high), *[""] * (height - 1), number_of(low)]
    margin = max(map(len, labels))
    room = width - margin - 2
    each = max(1, min(_WIDEST, int(room // until)))
    columns = min(room, int(until) * each)
    levels = _levels(epochs, values, low, high, columns, until, height)
    lines = []
    for row in range(height):
        bars = "".join(_BLOCKS[min(8, max(0, level - 8 * (height - 1 - row)))] for level in levels)
        lines.append(f"{labels[row]:>{margin}} │{bars}".rstrip())
    lines.append(f"{labels[-1]:>{margin}} └{'─' * columns}")
    return [*lines, *(f"{'':{margin}}  {line}" for line in _axis(columns, room, until, mark, label))]


def _levels(
    epochs: Sequence[float],
    values: Sequence[float],
    low: float,
    high: float,
    columns: int,
    until: float,
    height: int,
) -> list[int]:
    """The height of each column in eighths of a line; a value that is there has at least one."""
    levels = [0] * columns
    span = (high - low) or 1.0
    for epoch, value in zip(epochs, values, strict=True):
        level = max(1, round(8 * height * (value - low) / span))
        first, last = _columns(epoch, columns, until)
        levels[first:last] = [level] * (last - first)
    return levels


def _columns(epoch: float, columns: int, until: float) -> tuple[int, int]:
    """The columns of one epoch: first, and the one after the last."""
    last = min(columns, max(1, math.ceil(epoch * columns / until)))
    return min(last - 1, max(0, math.floor((epoch - 1) * columns / until))), last


def _axis(columns: int, room: int, until: float, mark: float | None, label: str) -> list[str]:
    """The first and the last epoch, and what points at the mark: on a line of its own where they would meet."""
    ends = f"1{number_of(until):>{columns - 1}}" if columns > 1 else "1"
    if mark is None:
        return [ends]
    first, last = _columns(mark, columns, until)
    place = (first + last - 1) // 2
    begin, pointer = place, f"▲ {label}"
    if place + len(pointer) > room:
        left = place > len(label)
        begin, pointer = (place - len(label) - 1, f"{label} ▲") if left else (place, "▲")
    end = begin + len(pointer)
    if end > columns or ends[max(0, begin - 1) : end + 1].strip():
        return [f"{'':{begin}}{pointer}", ends]
    return [ends[:begin] + pointer + ends[end:]]
