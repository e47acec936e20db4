"""Tables of a study of regimes with a fixed order of columns, and their CSV files. Errors and LMC are fractions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from secateurs.report.curves import Spread
from secateurs.report.overview import Row
from secateurs.report.regimes import applied
from secateurs.report.regimes.claims import Change, moves, steps
from secateurs.report.regimes.drawn import Table
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.rows import PARTS, At, RegimeCellRow, pairs_of
from secateurs.report.rows import number
from secateurs.report.tables import to_csv

_PLACE = ("setting", "temperature_name", "temperature", "load_name", "load", "density")

TOGETHER = 5000
"""So many rows are in memory at once when files are written."""


def _place(found: RegimeFindings, row: RegimeCellRow) -> Row:
    hot: Row = {"temperature_name": found.temperature.name, "temperature": row.temperature}
    return {"setting": found.setting, **hot, "load_name": found.load.name, "load": row.load, "density": row.density}


def _spread(name: str, spread: Spread | None) -> Row:
    mean, sd = (None, None) if spread is None else (spread.mean, spread.sd)
    return {f"{name}_mean": mean, f"{name}_sd": sd}


_CELLS = ("test_error", "above_best", "validation_error", "train_error", "dense_test_error", "lmc", "cka")


def _cells(founds: Sequence[RegimeFindings]) -> Iterator[Row]:
    for found in founds:
        for cell in found.cells:
            if not cell.rows:
                continue
            spreads = (
                *(cell.error(), found.excess(cell), cell.error("validation"), cell.error("train")),
                *(cell.dense_error(), cell.lmc, cell.cka),
            )
            measured = {
                key: value for pair in zip(_CELLS, spreads, strict=True) for key, value in _spread(*pair).items()
            }
            (copies, pairs), (known_copies, known_pairs) = cell.planned, cell.known
            yield {
                **_place(found, cell.rows[0]),
                **measured,
                **{"regime": cell.regime, "hardly_better_than_guessing": cell.guesses, "seeds": len(cell.errors())},
                **{
                    "regime_seeds": None if cell.regime is None else cell.agreeing,
                    "regime_seeds_known": len(cell.regimes),
                },
                **{"copies": known_copies, "copies_planned": copies, "pairs": known_pairs, "pairs_planned": pairs},
                **{"diverged": cell.diverged, "waiting": cell.waiting, "empty_layers": " ".join(cell.empty_layers)},
                "best_of_load": cell is found.best(cell.load),
            }


def _runs(founds: Sequence[RegimeFindings]) -> Iterator[Row]:
    for found in founds:
        for row in found.rows:
            for copy, run in enumerate(row.runs):
                errors: Row = {f"{part}_error": row.errors(part)[copy] for part in PARTS}
                probe: Row = {f"probe_{part}_error": row.errors(part, "probe")[copy] for part in PARTS}
                dense: Row = {f"dense_{part}_error": row.dense_error(part) for part in PARTS}
                gone = run.get("diverged")
                yield {
                    **_place(found, row),
                    **{"seed": row.seed, "copy": copy, **errors, **probe, **dense},
                    **{"diverged": None if gone is None else str(gone), "done": bool(run)},
                    "seconds": number(run, "seconds"),
                }


def _pairs(founds: Sequence[RegimeFindings]) -> Iterator[Row]:
    ats: tuple[At, ...] = ("end", "probe")
    for found in founds:
        for row in found.rows:
            for at in ats:
                for (one, other), pair in zip(pairs_of(len(row.runs)), row.pairs(at), strict=False):
                    gone = pair.get("diverged")
                    lost = " ".join(str(seed) for seed in pair.get("diverged_copies", ()))
                    yield {
                        **_place(found, row),
                        **{"seed": row.seed, "at": at, "copy": one, "other_copy": other},
                        **{"lmc": number(pair, "lmc"), "cka": number(pair, "cka")},
                        "cka_undefined": str(pair.get("cka_undefined") or ""),
                        **{"dense_diverged": None if gone is None else str(gone), "diverged_order_seeds": lost},
                        **{"done": bool(pair), "seconds": number(pair, "seconds")},
                    }


def _ways(founds: Sequence[RegimeFindings]) -> Iterator[Row]:
    ats: tuple[At, ...] = ("end", "probe")
    for found in founds:
        for row in found.rows:
            for at in ats:
                for (one, other), pair in zip(pairs_of(len(row.runs)), row.pairs(at), strict=False):
                    names = ("alphas", "errors", "losses")
                    points = zip(*(pair.get(name, ()) for name in names), strict=False)
                    for alpha, error, loss in points:
                        where: Row = {**_place(found, row), "seed": row.seed, "at": at, "copy": one}
                        yield {**where, "other_copy": other, "alpha": alpha, "train_error": error, "train_loss": loss}


def _changes(founds: Sequence[RegimeFindings]) -> Iterator[Row]:
    for found in founds:
        for kind, changes in (("whole", moves(found)), ("neighbours", steps(found))):
            for change in changes:
                yield _change(found, kind, change)


def _change(found: RegimeFindings, kind: str, change: Change) -> Row:
    low, high = change.interval or (None, None)
    return {
        **{"setting": found.setting, "kind": kind, "way": change.way, "load": change.start.load},
        **{"from_temperature": change.start.temperature, "to_temperature": change.end.temperature},
        **{"from_regime": change.start.regime, "to_regime": change.end.regime, "seeds": change.difference.n},
        **{"change_mean": change.difference.mean, "change_sd": change.difference.sd},
        **{"change_low": low, "change_high": high, "told": change.said},
    }


_DIVIDED = tuple(f"{name}_{each}" for name in _CELLS for each in ("mean", "sd"))
_ERRORS = tuple(f"{where}{part}_error" for where in ("", "probe_", "dense_") for part in PARTS)

TABLES: Mapping[str, Table] = {
    "cells": Table(
        (
            *(*_PLACE, *_DIVIDED, "regime", "hardly_better_than_guessing", "seeds"),
            *("regime_seeds", "regime_seeds_known", "copies", "copies_planned"),
            *("pairs", "pairs_planned", "diverged", "waiting", "empty_layers", "best_of_load"),
        ),
        _cells,
    ),
    "runs": Table((*_PLACE, "seed", "copy", *_ERRORS, "diverged", "done", "seconds"), _runs),
    "pairs": Table(
        (
            *(*_PLACE, "seed", "at", "copy", "other_copy", "lmc", "cka", "cka_undefined", "dense_diverged"),
            *("diverged_order_seeds", "done", "seconds"),
        ),
        _pairs,
    ),
    "ways": Table((*_PLACE, "seed", "at", "copy", "other_copy", "alpha", "train_error", "train_loss"), _ways),
    "changes": Table(
        (
            *("setting", "kind", "way", "load", "from_temperature", "to_temperature", "from_regime", "to_regime"),
            *("seeds", "change_mean", "change_sd", "change_low", "change_high", "told"),
        ),
        _changes,
    ),
    **applied.TABLES,
}
"""By the stem of its file. Below 0 a change lowers test error."""


def write_tables(founds: Sequence[RegimeFindings], folder: Path) -> list[Path]:
    """Write every table as ``<folder>/<name>.csv``, one without rows as its heading alone. Return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in TABLES.items():
        path = folder / f"{name}.csv"
        rows = iter(table.rows(founds))
        with path.open("w", encoding="utf-8") as file:
            file.write(to_csv((), table.columns))
            while some := list(islice(rows, TOGETHER)):
                file.write(to_csv(some, table.columns).partition("\n")[2])
        written.append(path)
    return written
