"""A made-up study of methods whose numbers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from secateurs.report import DenseRun, MethodRun, MethodStudy

MakeMethods = Callable[..., MethodStudy]

DENSE = (0.930, 0.932, 0.934)
"""Test accuracy of the dense network, by seed."""

BELOW: dict[str, dict[float, tuple[float, float, float]]] = {
    "random": {0.5: (-0.001, -0.001, -0.001), 0.2: (-0.030, -0.032, -0.034), 0.1: (-0.10, -0.10, -0.10)},
    "snip": {0.5: (0.001, 0.002, 0.003), 0.2: (-0.002, -0.002, -0.002), 0.1: (-0.020, -0.040, -0.030)},
    "snip shuffled": {0.5: (0.001, 0.001, 0.005), 0.2: (-0.012, -0.010, -0.014), 0.1: (-0.010, -0.030, -0.020)},
    "synflow": {0.5: (0.0, 0.0, 0.0), 0.2: (-0.010, -0.011, -0.012), 0.1: (-0.030, -0.020, -0.040)},
}
"""Test accuracy minus the dense network's of the same seed: by method, density and seed."""

EMPTIED = {"random": 0.0, "snip": 0.05, "snip shuffled": 0.01, "synflow": 0.3}


def facts(density: float, emptied: float, *empty: str) -> dict[str, Any]:
    """What is known of a mask over three layers, whose names are not in alphabetical order."""
    return {
        "density": density,
        "layer_densities": {"stem.weight": density, "block.weight": density / 2, "a_head.weight": 1.0},
        "empty_layers": list(empty),
        "unit_sparsity": [1 - (1 - emptied) * s / 100 for s in range(101)],
        "emptied": emptied,
    }


def result(test: float, **more: Any) -> dict[str, Any]:
    """A summary with this test accuracy."""
    numbers = {"test_accuracy": test, "validation_accuracy": test, "train_accuracy": 1.0}
    return {**numbers, "diverged": None, "seconds": 2.0, **more}


def rates(*values: float) -> list[dict[str, Any]]:
    """A dense run's log, a row per epoch from 1 on."""
    return [{"epoch": epoch, "lr": value, "seconds": 1.0} for epoch, value in enumerate(values, start=1)]


@pytest.fixture
def make_methods() -> MakeMethods:
    """``make(seeds=3, moments={"0ep": 0.0}, change={(method, density, seed): summary}, **fields of MethodStudy)``."""

    def make(
        seeds: int = 3,
        moments: Mapping[str, float] | None = None,
        changed: Mapping[tuple[str, float, int], Mapping[str, Any]] | None = None,
        **more: Any,
    ) -> MethodStudy:
        log = rates(0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001)
        dense = [DenseRun(seed, "net", 7, 10, log, result(DENSE[seed])) for seed in range(seeds)]
        runs = [
            MethodRun(
                *("net", method, density, moment, epoch, seed),
                ablated="shuffled" in method,
                mask={**facts(density, 0.05 if "snip" in method else EMPTIED[method]), "seconds/scoring": 0.1},
                summary=(changed or {}).get(
                    (method, density, seed),
                    result(DENSE[seed] + below[seed], **facts(density, EMPTIED[method])),
                ),
                epochs_after=10.0,
            )
            for moment, epoch in (moments or {"0ep": 0.0}).items()
            for seed in range(seeds)
            for method, by in BELOW.items()
            for density, below in by.items()
        ]
        fields: dict[str, Any] = {
            "title": "A study",
            "dense": dense,
            "runs": runs,
            "methods": {"random": "random", "snip": "snip (bn batch)", "snip shuffled": "shuffled", "synflow": "flow"},
            "base": {"snip shuffled": "snip"},
            "change": {"snip shuffled": "shuffled within layers"},
            "random": ["random"],
        }
        return MethodStudy(**(fields | more))

    return make
