"""Tables of a study of methods with a fixed order of columns, and their CSV files.

Whatever depends on the clock stands in columns that begin with ``seconds``. Accuracies are fractions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from secateurs.report.costs import COST_COLUMNS, cost_columns
from secateurs.report.curves import Spread
from secateurs.report.methods import masks
from secateurs.report.methods.cells import Cell, Group, Interval, sparsity_of
from secateurs.report.methods.compared import ablations, mean_ranks, orders
from secateurs.report.methods.courses import PARTS, course
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.ranges import cheapest, ranges
from secateurs.report.methods.replication import replications
from secateurs.report.methods.rows import MethodStudy
from secateurs.report.overview import Row
from secateurs.report.rows import number
from secateurs.report.tables import to_csv

_CELL = ("setting", "method", "density", "moment", "epoch")

COLUMNS: dict[str, tuple[str, ...]] = {
    "runs": (
        *(*_CELL, "seed", "how", "test_accuracy", "validation_accuracy", "train_accuracy", "weight_sparsity"),
        *("node_sparsity", "emptied", "empty_layers", "at_bound", "diverged", "seconds", "seconds_scoring"),
    ),
    "accuracy": (
        *(*_CELL, "first_epoch", "last_epoch", "how", "seeds", "test_mean", "test_sd"),
        *("weight_sparsity_mean", "weight_sparsity_sd", "node_sparsity_mean", "node_sparsity_sd"),
        *("difference_mean", "difference_sd", "difference_low", "difference_high", "diverged", "missing"),
    ),
    "order": (
        *("setting", "kind", "moment", "density", "place", "method", "mean", "rank", "told_apart_from_next"),
        "seeds",
    ),
    "ranks": ("setting", "kind", "moment", "method", "rank_mean", "rank_sd", "densities"),
    "ranges": ("setting", "kind", "moment", "method", "lowest_matching_density", "highest_matching_sparsity"),
    "ablations": (
        *("setting", "variant", "plain", "density", "moment", "epoch", "seeds"),
        *("difference_mean", "difference_sd", "difference_low", "difference_high"),
    ),
    "layers": (*_CELL, "place", "layer", "seeds", "sparsity_mean", "sparsity_sd"),
    "costs": (*_CELL, "seed", "how", *COST_COLUMNS),
    "units": (*_CELL, "place", "group", "seeds", "removed_mean", "removed_sd"),
    "learning": (*_CELL, "part", "epoch_of_training", "accuracy_mean", "accuracy_lowest", "accuracy_highest"),
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
    kinds = [kind for each in found for kind in each.kinds]
    return {
        "runs": _runs(study),
        "accuracy": [_accuracy(each, cell) for each in found for cell in each.all_cells],
        "order": [row for each in kinds for row in _orders(each)],
        "ranks": [row for each in kinds for row in _ranks(each)],
        "ranges": [row for each in kinds for row in _ranges(each)],
        "ablations": [row for each in found for row in _ablations(each)],
        "layers": [row for each in found for cell in each.all_cells for row in _layers(each, cell)],
        "costs": list(_costs(study)),
        "units": [row for each in found for cell in each.all_cells for row in _units(each, cell)],
        "learning": [row for each in found for cell in each.all_cells for row in _learning(each, cell)],
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
        rest: Row = {**dict.fromkeys(COLUMNS["runs"]), "diverged": root.diverged}
        rows.append({**rest, "setting": root.setting, **place, **{name: number(root.summary, name) for name in names}})
    for run in study.runs:
        place = {"method": run.method, "density": run.density, "moment": run.moment, "epoch": run.epoch}
        rest = {"seed": run.seed, "how": run.how, "diverged": run.broke}
        rest["emptied"] = number(run.facts, "emptied") if run.how == "masks" else None
        rest["weight_sparsity"] = sparsity_of(run.facts, "density")
        rest["node_sparsity"] = sparsity_of(run.facts, "node_density")
        rest["at_bound"] = run.at_bound
        rest["empty_layers"] = " ".join(run.facts.get("empty_layers", ()))
        clock: Row = {"seconds_scoring": number(run.mask, "seconds/scoring")}
        results: Row = {name: number(run.summary, name) for name in names}
        rows.append({"setting": run.setting, **place, **rest, **results, **clock})
    return rows


def _costs(study: MethodStudy) -> Iterator[Row]:
    for root in study.dense:
        if told := root.summary.get("costs"):
            place: Row = {"method": "dense", "density": 1.0, "moment": None, "epoch": None, "how": None}
            yield {"setting": root.setting, **place, "seed": root.seed, **cost_columns(told)}
    for run in study.runs:
        if run.costs:
            place = {"method": run.method, "density": run.density, "moment": run.moment, "epoch": run.epoch}
            yield {"setting": run.setting, **place, "seed": run.seed, "how": run.how, **cost_columns(run.costs)}


def _accuracy(findings: MethodFindings, cell: Cell) -> Row:
    return {
        **_where(findings, cell),
        **dict(zip(("first_epoch", "last_epoch"), cell.epochs, strict=True)),
        "how": cell.how,
        **_two("weight_sparsity", cell.weight_sparsity),
        **_two("node_sparsity", cell.node_sparsity),
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
                rows.append({**_among(findings, group), **row})
    return rows


def _among(findings: MethodFindings, group: Group) -> Row:
    return {"setting": findings.setting, "kind": findings.kind, "moment": group.moment}


def _ranks(findings: MethodFindings) -> list[Row]:
    return [
        {**_among(findings, group), "method": name, **_two("rank", each), "densities": each.n}
        for group in findings.groups
        for name, each in mean_ranks(orders(findings, group)).items()
    ]


def _ranges(findings: MethodFindings) -> list[Row]:
    rows: list[Row] = []
    for group in findings.groups:
        for name, density in ranges(findings, group).by.items():
            sparsity = None if density is None else 1 - density
            row: Row = {"method": name, "lowest_matching_density": density, "highest_matching_sparsity": sparsity}
            rows.append({**_among(findings, group), **row})
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


def _units(findings: MethodFindings, cell: Cell) -> list[Row]:
    found = masks.removed_units(cell)
    known = [(name, found[name]) for name in masks.groups_of_units(findings) if name in found]
    return [
        {**_where(findings, cell), "place": place, "group": name, "seeds": each.n, **_two("removed", each)}
        for place, (name, each) in enumerate(known, start=1)
    ]


def _learning(findings: MethodFindings, cell: Cell) -> list[Row]:
    found = {part: each for part in PARTS if (each := course(cell, part)) is not None}
    columns = ("epoch_of_training", "accuracy_mean", "accuracy_lowest", "accuracy_highest")
    return [
        {**_where(findings, cell), "part": part, **dict(zip(columns, values, strict=True))}
        for part, each in found.items()
        for values in zip(each.epochs, each.means, each.lows, each.highs, strict=True)
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
