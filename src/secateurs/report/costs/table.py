"""The table of costs in the layout of P1's tables 1, 2, 5 and 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from secateurs.report.costs.marking import Column, Judged, Mark, marks
from secateurs.report.costs.measures import CLOCKED, LAYOUT, MEASURES, digits, unit_of
from secateurs.report.costs.notes import notes
from secateurs.report.costs.rows import Costed, by_turns
from secateurs.report.words import NOTHING, SPACE, plain_percent

ACCURACY = "accuracy"
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class CostCell:
    """A cell: what it shows, and whether it is the best or the second best of its kind."""

    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class CostLine:
    """A line of the table."""

    name: str
    kind: str
    cells: tuple[CostCell, ...]
    chosen: bool = False


@dataclass(frozen=True)
class CostTable:
    """A table for a page: heads with their units, lines in the order given, and what the columns are.

    ``marks``: whether anything is marked as best.
    """

    heads: tuple[str, ...]
    lines: tuple[CostLine, ...]
    notes: tuple[str, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of lines, in order; one group of lines each."""
        return tuple(dict.fromkeys(line.kind for line in self.lines))

    @property
    def marks(self) -> bool:
        """Whether a cell is marked."""
        return any(cell.mark for line in self.lines for cell in line.cells)


def cost_table(rows: Sequence[Costed], layout: Sequence[str] = LAYOUT, *, marked: bool = True) -> CostTable:
    """The table of costs: a line for each of ``rows``, a column for the accuracy and each measure that is known.

    A column of which nothing is known is left out, and the notes say how to have it; single cells that are not known
    show a dash. Means over seeds, of the accuracy with its standard deviation. The best mean of each
    kind of lines is marked, and the second best of three or more, with those that are alike
    (:mod:`~secateurs.report.costs.marking`); the dense network takes no part, nor does a line that is not judged.

    Args:
        rows: in the order in which they are shown; the dense network first.
        layout: names of :data:`MEASURES`.
        marked: whether the best are marked.
    """
    rows = by_turns(rows)
    known = [name for name in layout if any(row.of(name) is not None for row in rows)]
    units = {name: _unit(rows, name) for name in known}
    turns = any(row.of("batch_ratio") is not None for row in rows)
    heads = ["Test accuracy, % ↑", *(_head(name, units[name][0], turns) for name in known)]
    shown = [[_accuracy(row), *(_text(row, name, units[name][1]) for name in known)] for row in rows]
    best = _marks(rows, [ACCURACY, *known]) if marked else {}
    lines = [
        CostLine(
            row.name,
            row.kind,
            tuple(CostCell(text, best.get((place, column), "")) for column, text in enumerate(shown[place])),
            row.chosen,
        )
        for place, row in enumerate(rows)
    ]
    return CostTable(tuple(heads), tuple(lines), tuple(notes(rows, known, layout)))


def _unit(rows: Sequence[Costed], name: str) -> tuple[str, float]:
    means = [spread.mean for row in rows if (spread := row.of(name)) is not None]
    return unit_of(means, MEASURES[name].units)


def _head(name: str, unit: str, turns: bool) -> str:
    measure = MEASURES[name]
    if name == "batch" and turns:
        return f"{measure.title} over dense ({unit}) ↓"
    arrow = " ↓" if measure.better == "low" else ""
    return f"{measure.title}{f', {unit}' if unit else ''}{arrow}"


def _accuracy(row: Costed) -> str:
    return plain_percent(row.accuracy)


def _text(row: Costed, name: str, size: float) -> str:
    spread = row.of(name)
    if spread is None:
        return NOTHING
    text = digits(spread.mean / size) if name not in ("weight_sparsity", "node_sparsity") else _share(spread.mean)
    ratio = row.of("batch_ratio") if name == "batch" else None
    return text if ratio is None else f"{ratio.mean:.2f}{TIMES}{SPACE}({text})"


def _share(value: float) -> str:
    return f"{100 * value:.1f}".replace("-", "\N{MINUS SIGN}")


def _judged(row: Costed, name: str, by_turns: bool) -> Judged | None:
    """What is compared; None where nothing is."""
    if row.dense or not row.judged:
        return None
    if name == ACCURACY:
        spread = row.accuracy
        return None if spread is None else Judged(round(100 * spread.mean, 1))
    spread = row.of("batch_ratio" if name == "batch" and by_turns else name)
    if spread is None or MEASURES[name].better is None:
        return None
    value = round(spread.mean, 2) if name == "batch" and by_turns else spread.mean
    return Judged(value, spread.sd, spread.n)


def _marks(rows: Sequence[Costed], names: Sequence[str]) -> Mapping[tuple[int, int], Mark]:
    """Best and second best by line and column, among the lines of each kind."""
    found: dict[tuple[int, int], Mark] = {}
    by_turns = any(row.of("batch_ratio") is not None for row in rows)  # fair also where the machine was busy meanwhile
    for kind in dict.fromkeys(row.kind for row in rows if not row.dense):
        for place, name in enumerate(names):
            there = [(line, _judged(row, name, by_turns)) for line, row in enumerate(rows) if row.kind == kind]
            values = {line: each for line, each in there if each is not None}
            better = "high" if name == ACCURACY else MEASURES[name].better or "low"
            column = Column(better, measured=name in CLOCKED, accuracy=name == ACCURACY)
            found |= {(line, place): mark for line, mark in marks(column, values).items()}
    return found
