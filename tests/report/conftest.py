"""A made-up study whose numbers can be worked out by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from secateurs.report import GRID, DenseRun, PrunedRun, Study

MakeStudy = Callable[..., Study]

GRID_TEST = {0: (0.80, 0.82, 0.84), 4: (0.90, 0.91, 0.92), 8: (0.85, 0.86, 0.87)}
"""Test accuracy at each grid moment, by seed; validation accuracy is 0.01 higher."""


def result(test: float | None, **more: Any) -> dict[str, Any]:
    """A summary with this test accuracy."""
    validation = None if test is None else test + 0.01
    return {"test_accuracy": test, "validation_accuracy": validation, "train_accuracy": 1.0, "seconds": 2.0, **more}


def log(fisher: tuple[float | None, ...], kl: tuple[float | None, ...] = ()) -> list[dict[str, Any]]:
    """One row per epoch from 0 on."""
    rows: list[dict[str, Any]] = []
    for epoch, value in enumerate(fisher):
        row: dict[str, Any] = {"epoch": epoch, "fisher_trace": value, "seconds/fisher_trace": 0.5}
        if epoch:
            row["seconds"] = 1.5
        if epoch < len(kl):
            row["kl_uniform"] = kl[epoch]
        rows.append(row)
    return rows


@pytest.fixture
def make_study() -> MakeStudy:
    """Return ``make(seeds=3, triggered={seed: (epoch, test)}, **changes of Study)``."""

    def make(seeds: int = 3, triggered: Mapping[int, tuple[float, float | None]] | None = None, **more: Any) -> Study:
        course = log((9.0, 1.0, 3.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.5, 0.5), kl=tuple(0.1 * i for i in range(11)))
        dense = [DenseRun(seed, "net", 7, 10, course, result(0.93)) for seed in range(seeds)]
        chosen = {0: (4.0, 0.90), 1: (5.0, 0.905), 2: (6.0, 0.93)} if triggered is None else triggered
        pruned = []
        for seed in range(seeds):
            grid = {float(epoch): tests[seed % 3] for epoch, tests in GRID_TEST.items()}
            at = chosen.get(seed)
            for epoch, test in grid.items():
                by = (GRID, "peak") if at is not None and at[0] == epoch else (GRID,)
                pruned.append(PrunedRun(seed, "net", f"{epoch:.0f}ep", epoch, 0.1, by, result(test)))
            if at is not None and at[0] not in grid:
                pruned.append(PrunedRun(seed, "net", f"{at[0]:.0f}ep", at[0], 0.1, ("peak",), result(at[1])))
        fields: dict[str, Any] = {"title": "A study", "dense": dense, "pruned": pruned}
        return Study(**(fields | {"triggers": {"peak": "fires after the peak of tr(F)"}} | more))

    return make


@pytest.fixture
def several(make_study: MakeStudy) -> Study:
    """Two settings, the second less accurate when dense and without a fit; a third moment, so that ranks exist."""
    study = make_study(figure="P0, figure 4", needs={"peak": ["fisher_trace"]})
    more = [
        PrunedRun(seed, "net", "10ep", 10.0, 0.1, (GRID,), result(test)) for seed, test in enumerate((0.86, 0.87, 0.88))
    ]
    pruned = [*study.pruned, *more]
    wide = [
        dataclasses.replace(run, setting="wide <net>", summary={**result(0.92), "train_accuracy": 0.9})
        for run in study.dense
    ]
    return dataclasses.replace(
        study,
        dense=[*study.dense, *wide],
        pruned=[*pruned, *(dataclasses.replace(run, setting="wide <net>") for run in pruned)],
    )
