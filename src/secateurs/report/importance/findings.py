"""What measured runs show: correlations over the epochs, scatters, and the layers' gradient norms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from secateurs.report.curves import Spread
from secateurs.report.importance.rows import UNITS, ImportanceRun, ImportanceStudy, Pairs
from secateurs.report.rank import spearman
from secateurs.report.rows import number


@dataclass(frozen=True)
class ChangePoint:
    """At the end of an epoch: how its change of magnitude goes with loss preservation, and how far its masks are.

    ``correlation`` is the coefficient with ``|sum theta g|`` of a filter or ``|theta g|`` of a weight. Of filters,
    ``of_sums`` is that with ``sum |theta g|``, ``of_scales`` that with ``|gamma g_gamma|``. A spread is over the
    seeds that have a value.
    """

    epoch: int
    entries: int
    correlation: Spread | None
    of_sums: Spread | None
    of_scales: Spread | None
    distance: Spread | None


@dataclass(frozen=True)
class ChangeCurve:
    """All epochs of one unit. ``together``: rank correlation of coefficient and mask distance over a seed's epochs."""

    unit: str
    points: tuple[ChangePoint, ...]
    together: Spread | None


@dataclass(frozen=True)
class FlowPoint:
    """theta' Hg against theta' g at a moment: the coefficient over seeds, and pairs of one seed."""

    unit: str
    epoch: int
    correlation: Spread | None
    entries: int
    seed: int
    pairs: Pairs


@dataclass(frozen=True)
class LayerCurve:
    """The gradient norm of one layer, epoch by epoch; ``width``: how many filters or units it makes."""

    layer: str
    width: int
    epochs: tuple[int, ...]
    norms: tuple[Spread, ...]


@dataclass(frozen=True)
class ImportanceFindings:
    """What the runs of one setting show; runs that diverged, or have no result, take no part.

    Attributes:
        diverged: seed -> moment.
        missing: seeds without a result.
        test: accuracy of the trained networks.
        masked: kept / total of the masks.
        chance: accuracy of guessing.
    """

    setting: str
    epochs: int
    seeds: tuple[int, ...]
    diverged: Mapping[int, str]
    missing: tuple[int, ...]
    test: Spread | None
    changes: tuple[ChangeCurve, ...]
    flows: tuple[FlowPoint, ...]
    layers: tuple[LayerCurve, ...]
    masked: float | None = None
    chance: float | None = None

    @property
    def blocks(self) -> tuple[tuple[LayerCurve, ...], ...]:
        """The layers as figures show them: all together, or of many those of one width at a time (P3 figure 21)."""
        if len(self.layers) <= MANY:
            return (self.layers,) if self.layers else ()
        by_width: dict[int, list[LayerCurve]] = {}
        for layer in self.layers:
            by_width.setdefault(layer.width, []).append(layer)
        return tuple(map(tuple, by_width.values()))

    def early_share(self, epoch: int) -> float | None:
        """The first third of the layers' share in the sum of squared norms at an epoch (P3 eq. 24)."""
        at = [dict(zip(layer.epochs, layer.norms, strict=True)).get(epoch) for layer in self.layers]
        if len(at) < 3 or any(each is None for each in at):
            return None
        squares = [each.mean**2 for each in at if each is not None]
        return sum(squares[: len(squares) // 3]) / sum(squares) if sum(squares) else None


MANY = 16
"""More layers than this are shown in several panels."""


def find_importance(study: ImportanceStudy) -> tuple[ImportanceFindings, ...]:
    """What each setting shows, in the study's order."""
    settings = dict.fromkeys(run.setting for run in study.runs)
    return tuple(_found(name, [r for r in study.runs if r.setting == name], study) for name in settings)


def _found(setting: str, runs: Sequence[ImportanceRun], study: ImportanceStudy) -> ImportanceFindings:
    done = [run for run in runs if run.summary and run.diverged is None]
    return ImportanceFindings(
        setting=setting,
        epochs=max(run.epochs for run in runs),
        seeds=tuple(run.seed for run in done),
        diverged={run.seed: run.diverged for run in runs if run.diverged is not None},
        missing=tuple(run.seed for run in runs if not run.summary),
        test=Spread.of(run.accuracy("test") for run in done),
        changes=tuple(curve for unit in UNITS if (curve := _change(unit, done)) is not None),
        flows=tuple(_flows(done)),
        layers=_layers(done),
        masked=study.masked.get(setting),
        chance=study.chance.get(setting),
    )


def _rows(run: ImportanceRun, measured: str, unit: str) -> dict[int, Mapping[str, Any]]:
    found = (row for row in run.log if row.get("measured") == measured and row.get("unit") == unit)
    return {int(row["epoch"]): row for row in found}


def _change(unit: str, runs: Sequence[ImportanceRun]) -> ChangeCurve | None:
    by_seed = [_rows(run, "change", unit) for run in runs]
    epochs = sorted({epoch for rows in by_seed for epoch in rows})
    if not epochs:
        return None
    points = []
    for epoch in epochs:
        rows = [rows[epoch] for rows in by_seed if epoch in rows]
        names = ("correlation", "of_sums", "of_scales", "mask_distance")
        spreads = (Spread.of(number(row, name) for row in rows) for name in names)
        points.append(ChangePoint(epoch, int(rows[0]["entries"]), *spreads))
    return ChangeCurve(unit, tuple(points), Spread.of(_together(rows.values()) for rows in by_seed))


def _together(rows: Iterable[Mapping[str, Any]]) -> float | None:
    """Rank correlation of coefficient and mask distance over the epochs of one run."""
    both = [(number(row, "correlation"), number(row, "mask_distance")) for row in rows]
    pairs = [(x, y) for x, y in both if x is not None and y is not None]
    return spearman([x for x, _ in pairs], [y for _, y in pairs])


def _flows(runs: Sequence[ImportanceRun]) -> list[FlowPoint]:
    found = []
    for unit in UNITS:
        by_seed = [_rows(run, "flow", unit) for run in runs]
        for epoch in sorted({epoch for rows in by_seed for epoch in rows}):
            there = [(run, rows[epoch]) for run, rows in zip(runs, by_seed, strict=True) if epoch in rows]
            shown, row = there[0]
            spread = Spread.of(number(row, "correlation") for _, row in there)
            pairs = shown.scatters.get((epoch, unit), ())
            found.append(FlowPoint(unit, epoch, spread, int(row["entries"]), shown.seed, pairs))
    return found


def _layers(runs: Sequence[ImportanceRun]) -> tuple[LayerCurve, ...]:
    """The layers that were looked at; norms of others (classifiers) are in the runs' logs."""
    if not runs:
        return ()
    logged = [
        {int(row["epoch"]): row["gradient_norms"] for row in run.log if row.get("gradient_norms")} for run in runs
    ]
    first = runs[0].summary
    epochs = sorted({epoch for rows in logged for epoch in rows})
    curves = []
    for place, (name, width) in enumerate(zip(first["layers"], first["widths"], strict=True)):
        spreads = [Spread.of(rows[epoch][place] for rows in logged if epoch in rows) for epoch in epochs]
        known = [(epoch, spread) for epoch, spread in zip(epochs, spreads, strict=True) if spread is not None]
        if known and name in first["looked_at"]:
            curves.append(
                LayerCurve(name, width, tuple(epoch for epoch, _ in known), tuple(spread for _, spread in known))
            )
    return tuple(curves)
