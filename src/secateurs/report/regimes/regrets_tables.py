"""Regrets and costs of ways to choose a temperature as a table of the page, and as rows of CSV files."""

from __future__ import annotations

from collections.abc import Iterator

from secateurs.report.curves import Spread
from secateurs.report.overview import Row, Value
from secateurs.report.regimes import words
from secateurs.report.regimes.choices import DIVERGED, WAITING
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.regrets import Judged, Line
from secateurs.report.regimes.regrets_told import percent, regret
from secateurs.report.tickets import grid as tables
from secateurs.report.words import NOTHING, SPACE, number_of

CHOICES = (
    *("setting", "asked", "load", "seed", "way", "chosen_on_test", "temperature", "test_error", "grid_test_error"),
    *("regret", "lmc", "poorly_connected", "looked_at", "retraining_epochs", "dense_epochs", "lmc_passes", "undecided"),
)
"""Columns of the table of choices."""

REGRETS = (
    *("setting", "asked", "load", "way", "chosen_on_test", "seeds", "loads", "test_error_mean", "test_error_sd"),
    *("regret_mean", "regret_sd", "regret_low", "regret_high", "retraining_epochs", "of_grid_search"),
    *("dense_epochs", "lmc_passes", "diverged", "waiting"),
)
"""Columns of the table of regrets; without a load: over all of them."""


def grid(
    found: RegimeFindings, judged: Judged, name: str, title: str, note: str, *, dense: bool = False
) -> tables.Grid:
    """All ways, over all loads and load by load. ``dense``: with their epochs of dense training."""
    parts = [("All loads", tuple(_cells(line, judged, dense) for line in judged.overall))] if judged.overall else []
    for load in judged.loads:
        lines = [line for line in judged.lines if line.load == load]
        parts.append((words.load_name(found.load, load), tuple(_cells(each, judged, dense) for each in lines)))
    columns = (
        *("way", "test error, %", "regret, points", "epochs of retraining", "of grid search's"),
        *(("epochs of dense training",) if dense else ()),
        *("LMC's passes", f"{found.temperature.label} chosen"),
    )
    return tables.Grid(name, title, columns, tuple(parts), note, text=1)


def _cells(line: Line, judged: Judged, dense: bool) -> tables.Line:
    alone = line.way is judged.grid
    error = NOTHING if line.error is None else words.tenths(line.error.mean)
    if line.error is not None and line.error.sd is not None and line.load is not None:
        error += f" ± {100 * line.error.sd:.1f}"
    if line.load is not None and 0 < len(line.shared) < len(line.choices):
        error += f" (n = {len(line.shared)})".replace(" = ", f"{SPACE}={SPACE}")
    own = (
        error,
        NOTHING if alone else regret(line),
        NOTHING if line.retraining is None else number_of(line.retraining),
        NOTHING if line.share is None else percent(line.share),
        *((NOTHING if line.dense is None else number_of(line.dense),) if dense else ()),
        NOTHING if line.passes is None else number_of(line.passes),
        _chosen(line),
    )
    return tables.Line(f"{line.way.name}{' (on test data)' if line.way.on_test else ''}", own)


def _chosen(line: Line) -> str:
    """The temperatures chosen, each with on how many seeds where that is not all the same; and what could not be."""
    if line.load is None:
        return NOTHING
    several = len(line.chosen) > 1
    told = [
        words.temperature_value(each) + (f" ({count}\N{MULTIPLICATION SIGN})" if several else "")
        for each, count in line.chosen.items()
    ]
    told += [f"{count} {why}" for why in (DIVERGED, WAITING) if (count := line.undecided(why))]
    return ", ".join(told) or NOTHING


def choice_rows(found: RegimeFindings, judged: Judged | None, asked: str) -> Iterator[Row]:
    """A row for every choice; none where nothing was judged."""
    if judged is None:
        return
    grid_errors = {(each.load, each.seed): each.error for line in judged.of(judged.grid) for each in line.choices}
    for line in judged.lines:
        for each in line.choices:
            best = grid_errors[each.load, each.seed]
            regret = None if each.error is None or best is None else each.error - best
            yield {
                **{"setting": found.setting, "asked": asked, "load": each.load, "seed": each.seed, "way": each.way},
                **{"chosen_on_test": line.way.on_test, "temperature": each.temperature, "test_error": each.error},
                **{"grid_test_error": best, "regret": regret, "lmc": each.lmc},
                **{"poorly_connected": each.poorly_connected, "looked_at": each.looked_at},
                **{"retraining_epochs": each.retraining, "dense_epochs": each.dense, "lmc_passes": each.passes},
                "undecided": each.undecided,
            }


def regret_rows(found: RegimeFindings, judged: Judged | None, asked: str) -> Iterator[Row]:
    """A row for every way and load, and for all loads; none where nothing was judged."""
    if judged is None:
        return
    for line in (*judged.overall, *judged.lines):
        low, high = line.interval or (None, None)
        yield {
            **{"setting": found.setting, "asked": asked, "load": line.load, "way": line.way.name},
            **{"chosen_on_test": line.way.on_test, "seeds": len(line.regrets), "loads": line.loads},
            **spread("test_error", line.error),
            **spread("regret", line.regret),
            **{"regret_low": low, "regret_high": high, "retraining_epochs": line.retraining},
            **{"of_grid_search": line.share, "dense_epochs": line.dense, "lmc_passes": line.passes},
            **{"diverged": line.undecided(DIVERGED), "waiting": line.undecided(WAITING)},
        }


def spread(name: str, spread: Spread | None) -> dict[str, Value]:
    return {f"{name}_mean": spread.mean if spread else None, f"{name}_sd": spread.sd if spread else None}
