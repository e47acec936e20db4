"""Tables of a study of methods with a fixed order of columns, and their CSV files.

Whatever depends on the clock stands in columns that begin with ``seconds``. Accuracies are fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from secateurs.report.curves import Spread
from secateurs.report.methods import masks
from secateurs.report.methods.compared import ablations, mean_ranks, orders
from secateurs.report.methods.findings import Cell, Interval, MethodFindings
from secateurs.report.methods.ranges import cheapest, ranges
from secateurs.report.methods.replication import replications
from secateurs.report.methods.rows import MethodStudy
from secateurs.report.overview import Row
from secateurs.report.rows import number
from secateurs.report.tables import to_csv

_CELL = ("setting", "method", "density", "moment", "epoch")

COLUMNS: dict[str, tuple[str, ...]] = {
    "runs": (
        *(*_CELL, "seed", "test_accuracy", "validation_accuracy", "train_accuracy", "emptied", "empty_layers"),
        *("diverged", "seconds", "seconds_scoring"),
    ),
    "accuracy": (
        *(*_CELL, "seeds", "test_mean", "test_sd"),
        *("difference_mean", "difference_sd", "difference_low", "difference_high", "diverged", "missing"),
    ),
    "order": ("setting", "moment", "density", "place", "method", "mean", "rank", "told_apart_from_next", "seeds"),
    "ranks": ("setting", "moment", "method", "rank_mean", "rank_sd", "densities"),
    "ranges": ("setting", "moment", "method", "lowest_matching_density", "highest_matching_sparsity"),
    "ablations": (
        *("setting", "variant", "plain", "density", "moment", "epoch", "seeds"),
        *("difference_mean", "difference_sd", "difference_low", "difference_high"),
    ),
    "layers": (*_CELL, "place", "layer", "seeds", "sparsity_mean", "sparsity_sd"),
    "channels": (*_CELL, "at_least", "seeds", "share_mean", "share_sd"),
    "emptied": (*_CELL, "seeds", "emptied_mean", "emptied_sd"),
    "remaining": (*_CELL, "epochs_after", "area", "area_with_finding", "share_of_dense"),
    "replication": (
        *("source", "method", "setting", "density", "dense_reported", "dense_mean", "dense_sd"),
        *("reported", "reported_difference", "moment", "test_mean", "test_sd", "difference_mean", "seeds"),
    ),
}
"""The tables by name, and the columns of each."""


def tables(study: MethodStudy, found: Sequence[MethodFindings]) -> dict[str, list[Row]]:
    """All tables of a study of methods by name."""
    return {
        "runs": _runs(study),
        "accuracy": [_accuracy(each, cell) for each in found for cell in each.all_cells],
        "order": [row for each in found for row in _orders(each)],
        "ranks": [row for each in found for row in _ranks(each)],
        "ranges": [row for each in found for row in _ranges(each)],
        "ablations": [row for each in found for row in _ablations(each)],
        "layers": [row for each in found for cell in each.all_cells for row in _layers(each, cell)],
        "channels": [row for each in found for cell in each.all_cells for row in _channels(each, cell)],
        "emptied": [
            {**_where(each, cell), "seeds": spread.n, **_two("emptied", spread)}
            for each in found
            for cell in each.all_cells
            if (spread := masks.emptied(cell)) is not None
        ],
        "remaining": [row for each in found for row in _remaining(each)],
        "replication": _replication(study, tuple(found)),
    }


def write_tables(study: MethodStudy, found: Sequence[MethodFindings], folder: Path) -> list[Path]:
    """Write every table as ``<folder>/<name>.csv``; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, rows in tables(study, found).items():
        path = folder / f"{name}.csv"
        path.write_text(to_csv(rows, COLUMNS[name]), encoding="utf-8")
        written.append(path)
    return written


def _where(findings: MethodFindings, cell: Cell) -> Row:
    place: Row = {"method": cell.method, "density": cell.density, "moment": cell.moment, "epoch": cell.epoch}
    return {"setting": findings.setting, **place}


def _two(name: str, spread: Spread | None) -> Row:
    mean, sd = (None, None) if spread is None else (spread.mean, spread.sd)
    return {f"{name}_mean": mean, f"{name}_sd": sd}


def _ends(name: str, interval: Interval) -> Row:
    return {f"{name}_low": interval and interval[0], f"{name}_high": interval and interval[1]}


def _runs(study: MethodStudy) -> list[Row]:
    names = ("test_accuracy", "validation_accuracy", "train_accuracy", "seconds")
    rows: list[Row] = []
    for root in study.dense:
        place: Row = {"method": "dense", "density": 1.0, "moment": None, "epoch": None, "seed": root.seed}
        rest: Row = {"emptied": None, "empty_layers": None, "diverged": root.diverged, "seconds_scoring": None}
        rows.append({"setting": root.setting, **place, **{name: number(root.summary, name) for name in names}, **rest})
    for run in study.runs:
        place = {"method": run.method, "density": run.density, "moment": run.moment, "epoch": run.epoch}
        rest = {"seed": run.seed, "emptied": number(run.facts, "emptied"), "diverged": run.broke}
        rest["empty_layers"] = " ".join(run.facts.get("empty_layers", ()))
        clock: Row = {"seconds_scoring": number(run.mask, "seconds/scoring")}
        results: Row = {name: number(run.summary, name) for name in names}
        rows.append({"setting": run.setting, **place, **rest, **results, **clock})
    return rows


def _accuracy(findings: MethodFindings, cell: Cell) -> Row:
    return {
        **_where(findings, cell),
        "seeds": 0 if cell.test is None else cell.test.n,
        **_two("test", cell.test),
        **_two("difference", cell.difference),
        **_ends("difference", cell.interval),
        "diverged": " ".join(map(str, cell.diverged)),
        "missing": " ".join(map(str, cell.missing)),
    }


def _orders(findings: MethodFindings) -> list[Row]:
    rows: list[Row] = []
    for group in findings.groups:
        for order in orders(findings, group):
            apart = (*order.apart, None)
            for place, name in enumerate(order.methods):
                row: Row = {"density": order.density, "place": place + 1, "method": name, "mean": order.means[place]}
                row |= {"rank": order.ranks[place], "told_apart_from_next": apart[place], "seeds": order.seeds}
                rows.append({"setting": findings.setting, "moment": group.moment, **row})
    return rows


def _ranks(findings: MethodFindings) -> list[Row]:
    return [
        {"setting": findings.setting, "moment": group.moment, "method": name, **_two("rank", each), "densities": each.n}
        for group in findings.groups
        for name, each in mean_ranks(orders(findings, group)).items()
    ]


def _ranges(findings: MethodFindings) -> list[Row]:
    rows: list[Row] = []
    for group in findings.groups:
        for name, density in ranges(findings, group).by.items():
            sparsity = None if density is None else 1 - density
            row: Row = {"method": name, "lowest_matching_density": density, "highest_matching_sparsity": sparsity}
            rows.append({"setting": findings.setting, "moment": group.moment, **row})
    return rows


def _ablations(findings: MethodFindings) -> list[Row]:
    return [
        {
            **{"setting": findings.setting, "variant": each.variant, "plain": each.plain, "density": each.density},
            **{"moment": each.moment, "epoch": each.epoch, "seeds": each.paired.difference.n},
            **_two("difference", each.paired.difference),
            **_ends("difference", each.paired.interval),
        }
        for each in ablations(findings)
    ]


def _layers(findings: MethodFindings, cell: Cell) -> list[Row]:
    found = masks.layer_sparsities(cell, masks.layers_of(findings))
    if found is None:
        return []
    return [
        {**_where(findings, cell), "place": place, "layer": layer, "seeds": each.n, **_two("sparsity", each)}
        for place, (layer, each) in enumerate(zip(found.layers, found.sparsities, strict=True), start=1)
    ]


def _channels(findings: MethodFindings, cell: Cell) -> list[Row]:
    return [
        {**_where(findings, cell), "at_least": percent / 100, "seeds": each.n, **_two("share", each)}
        for percent, each in enumerate(masks.channel_shares(cell))
    ]


def _remaining(findings: MethodFindings) -> list[Row]:
    return [
        {
            **{"setting": findings.setting, "method": each.method, "density": each.density, "moment": each.moment},
            **{"epoch": each.epoch, "epochs_after": each.epochs_after, "area": each.area},
            "area_with_finding": each.whole,
            "share_of_dense": each.whole / findings.epochs if findings.epochs else None,
        }
        for each in cheapest(findings)
    ]


def _replication(study: MethodStudy, found: tuple[MethodFindings, ...]) -> list[Row]:
    rows: list[Row] = []
    for table in replications(study, found):
        for line in table.lines:
            cell, test = line.cell, None if line.cell is None else line.cell.test
            row: Row = {"source": table.source, "method": table.method, "setting": line.setting}
            row |= {"density": line.density, "dense_reported": line.dense_reported, **_two("dense", line.dense)}
            row |= {"reported": line.reported, "reported_difference": line.reported_difference}
            row |= {"moment": None if cell is None else cell.moment, **_two("test", test)}
            row["difference_mean"] = None if cell is None or cell.difference is None else cell.difference.mean
            row["seeds"] = 0 if test is None else test.n
            rows.append(row)
    return rows
