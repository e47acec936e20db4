"""A comparison of two studies on paper: one small HTML page and a CSV file."""

from __future__ import annotations

from pathlib import Path

from secateurs.report.compare import Comparison, Pair
from secateurs.report.differences import Difference
from secateurs.report.overview import Row
from secateurs.report.page import Picture, Plate, Written, environment
from secateurs.report.regret import FEW_SEEDS
from secateurs.report.sentences import heading
from secateurs.report.tables import to_csv
from secateurs.report.words import NOTHING, number_of, percent, plural, signed

COLUMNS = (
    *("setting_a", "setting_b", "density_a", "density_b", "quantity", "unit"),
    *("a", "b", "difference", "low", "high", "paired", "seeds_a", "seeds_b"),
)
"""The columns of ``comparison.csv``; accuracies and points are fractions."""

NOTE = (
    "Difference: the second study minus the first, in percentage points or epochs; the interval is a 95 % bootstrap "
    "interval over seeds. Loss: dense accuracy minus that of networks pruned at the best moment."
)


def rows(comparison: Comparison) -> list[Row]:
    """The comparison as a table: a row per setting and quantity."""
    return [_row(pair, each) for pair in comparison.pairs for each in pair.differences]


def _row(pair: Pair, each: Difference) -> Row:
    return {
        **{"setting_a": pair.a.setting, "setting_b": pair.b.setting},
        **{"density_a": pair.a.density, "density_b": pair.b.density},
        **{"quantity": each.quantity, "unit": each.unit, "a": each.a, "b": each.b, "difference": each.difference},
        **{"low": each.interval and each.interval[0], "high": each.interval and each.interval[1]},
        **{"paired": each.paired, "seeds_a": each.seeds[0], "seeds_b": each.seeds[1]},
    }


def cells(each: Difference) -> tuple[str, str, str, str]:
    """First, second, difference and interval of a quantity, for a table."""
    ends = each.interval
    interval = NOTHING if ends is None else f"{_change(each, ends[0])} to {_change(each, ends[1])}"
    change = NOTHING if each.difference is None else _change(each, each.difference)
    return _value(each, each.a), _value(each, each.b), change, interval


def _value(each: Difference, value: float | None) -> str:
    if value is None:
        return NOTHING
    if each.unit == "epochs":
        return number_of(value)
    return f"{100 * value:.2f}\N{NO-BREAK SPACE}%" if each.unit == "accuracy" else signed(value)


def _change(each: Difference, value: float) -> str:
    if each.unit != "epochs":
        return signed(value)
    return "0" if value == 0 else f"{value:+.4g}".replace("-", "\N{MINUS SIGN}")


def pairing(pair: Pair) -> str:
    """Over which seeds a setting was compared, and how far to trust the intervals."""
    first = pair.differences[0]
    common = sorted(set(pair.a.seeds) & set(pair.b.seeds))
    if first.paired:
        said, fewest = f"Paired by seed, over {plural(len(common), 'seed')} that both have.", len(common)
        if len(common) < max(len(pair.a.seeds), len(pair.b.seeds)):
            said += " Over all its seeds a study may read differently."
    else:
        counts = len(pair.a.seeds), len(pair.b.seeds)
        said = f"Not paired: {plural(counts[0], 'seed')} against {plural(counts[1], 'seed')}, fewer than two in common."
        fewest = min(counts)
    if fewest == 1:
        return f"{said} One seed has no interval."
    return said if fewest >= FEW_SEEDS else f"{said} With fewer than {FEW_SEEDS} seeds the interval says little."


def title(pair: Pair) -> str:
    """What was compared, in both studies' words where they differ."""
    a, b = heading(pair.a), heading(pair.b)
    return a if a == b else f"{a} — against {b}"


def render_comparison(comparison: Comparison) -> str:
    """The comparison as one self-contained HTML page; everything shown is escaped."""
    pairs = [(pair, title(pair), pairing(pair), _plate(pair, comparison.names)) for pair in comparison.pairs]
    template = environment().get_template("compare.html.j2")
    return template.render(comparison=comparison, pairs=pairs, cells_of=cells, note=NOTE)


def _plate(pair: Pair, names: tuple[str, str]) -> Plate:
    from secateurs.report.multiples import draw_two

    ends = [
        f"{name}: best at epoch {number_of(found.best.epoch)} with {percent(found.best.test)}"
        for name, found in zip(names, (pair.a, pair.b), strict=True)
        if found.best is not None
    ]
    alt = (
        f"Line chart for {title(pair)}. Test accuracy against the epoch of pruning in both studies. {'; '.join(ends)}."
    )
    said = "Test accuracy at the end of training against the epoch of pruning, mean over all seeds of each study with "
    said += f"a band of one standard deviation. Circles: {names[0]}. Squares: {names[1]}. Dashed: dense networks, "
    said += "in the colour of their study. Rings: best moments by validation."
    return Plate((Picture.of(draw_two(pair.a, pair.b, names), alt),), said)


def write_comparison(comparison: Comparison, folder: Path) -> Written:
    """Write ``compare.html``, a PNG per setting, and ``comparison.csv`` into ``folder``."""
    from secateurs.report.canvas import save
    from secateurs.report.multiples import draw_two

    folder.mkdir(parents=True, exist_ok=True)
    page, table = folder / "compare.html", folder / "comparison.csv"
    page.write_text(render_comparison(comparison), encoding="utf-8")
    table.write_text(to_csv(rows(comparison), COLUMNS), encoding="utf-8")
    figures = [
        save(draw_two(pair.a, pair.b, comparison.names), folder / f"compare-{index}.png")
        for index, pair in enumerate(comparison.pairs, start=1)
    ]
    return Written(page, tuple(figures), (table,))
