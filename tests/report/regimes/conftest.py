"""A made-up study of regimes whose numbers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from secateurs.report.regimes.rows import Axis, RegimeCellRow, RegimeStudy, RegimeTerms, pairs_of

MakeRegimes = Callable[..., RegimeStudy]

Number = Callable[[float, float, int], float | None]
"""A number by temperature, load and seed; None: the copies diverged."""

EPOCHS = (10.0, 80.0, 160.0)
DENSITIES = (0.05, 0.2, 0.8)

TEMPERATURE = Axis("epochs", EPOCHS, "training epochs")
LOAD = Axis("density", DENSITIES, "density")
TERMS = RegimeTerms()

ERROR = {
    (10.0, 0.05): 0.20, (80.0, 0.05): 0.22, (160.0, 0.05): 0.30,
    (10.0, 0.2): 0.14, (80.0, 0.2): 0.12, (160.0, 0.2): 0.13,
    (10.0, 0.8): 0.12, (80.0, 0.8): 0.10, (160.0, 0.8): 0.08,
}  # fmt: skip
"""Test error by temperature and load, of seed 0 in all its copies; seed 1 has 0.002 more, seed 2 0.004."""

LMC = {
    (10.0, 0.05): -0.01, (80.0, 0.05): -0.20, (160.0, 0.05): -0.60,
    (10.0, 0.2): 0.0, (80.0, 0.2): -0.02, (160.0, 0.2): -0.10,
    (10.0, 0.8): 0.0, (80.0, 0.8): -0.01, (160.0, 0.8): -0.01,
}  # fmt: skip

CKA = {
    (10.0, 0.05): 0.80, (80.0, 0.05): 0.60, (160.0, 0.05): 0.40,
    (10.0, 0.2): 0.84, (80.0, 0.2): 0.88, (160.0, 0.2): 0.80,
    (10.0, 0.8): 0.86, (80.0, 0.8): 0.92, (160.0, 0.8): 0.96,
}  # fmt: skip

DENSE = {10.0: 0.12, 80.0: 0.10, 160.0: 0.07}
"""Test error of the dense network by temperature; seed 1 has 0.002 more, seed 2 0.004."""


def error(temperature: float, load: float, seed: int) -> float:
    """Test error of every copy."""
    return ERROR[temperature, load] + 0.002 * seed


def lmc(temperature: float, load: float, seed: int) -> float:
    """LMC of every pair."""
    del seed
    return LMC[temperature, load]


def cka(temperature: float, load: float, seed: int) -> float:
    """CKA of every pair."""
    del seed
    return CKA[temperature, load]


def dense_error(temperature: float, load: float, seed: int) -> float:
    """Test error of the dense network."""
    del load
    return DENSE[temperature] + 0.002 * seed


def made_cell(
    setting: str,
    temperature: float,
    load: float,
    seed: int,
    density: float,
    terms: RegimeTerms,
    numbers: Sequence[Number],
) -> RegimeCellRow:
    """One cell: validation error is test error - 0.001, training error half of it; at the probe all are 0.1 more."""
    own, connected, alike, before = (each(temperature, load, seed) for each in numbers)
    gone = {"diverged": "3ep"}
    run: dict[str, Any] = gone if own is None else {**errors(own), "diverged": None}
    pair = {"lmc": connected, "cka": alike, "cka_undefined": None, "diverged": None, "diverged_copies": []}
    if own is None or connected is None:
        pair = {"lmc": None, "cka": None, **gone, "diverged_copies": [1, 2]}
    if terms.probe_epochs is not None and own is not None:
        run["probe"] = errors(own + 0.1)
    accuracies = (
        {} if before is None else {name.replace("error", "accuracy"): 1 - e for name, e in errors(before).items()}
    )
    pairs = len(pairs_of(terms.copies))
    return RegimeCellRow(
        setting, temperature, load, density, seed,
        dense={**accuracies, "diverged": "1ep" if before is None else None},
        mask={"density": density, "layer_densities": {"a.weight": density}, "empty_layers": []},
        runs=(run,) * terms.copies,
        ends=(pair,) * (pairs if terms.ends else 0),
        probes=(pair,) * (0 if terms.probe_epochs is None else pairs),
    )  # fmt: skip


def errors(test: float) -> dict[str, float]:
    """Errors on the three parts."""
    return {"train_error": test / 2, "validation_error": test - 0.001, "test_error": test}


@pytest.fixture
def make_regimes() -> MakeRegimes:
    """``make(temperature=Axis, load=Axis, seeds=3, settings=("net",), numbers={}, changed={}, **of RegimeStudy)``.

    ``numbers``: error, lmc, cka, dense_error by (temperature, load, seed), where not as above. ``changed``: by
    (setting, temperature, load, seed), the row in place of the made one; None: no such cell. ``terms``: of every
    setting, or by setting.
    """

    def make(
        temperature: Axis = TEMPERATURE,
        load: Axis = LOAD,
        seeds: int = 3,
        settings: Sequence[str] = ("net",),
        terms: RegimeTerms | Mapping[str, RegimeTerms] = TERMS,
        numbers: Mapping[str, Number] | None = None,
        changed: Mapping[tuple[str, float, float, int], RegimeCellRow | None] | None = None,
        **more: Any,
    ) -> RegimeStudy:
        by_setting = dict.fromkeys(settings, terms) if isinstance(terms, RegimeTerms) else dict(terms)
        used = {"error": error, "lmc": lmc, "cka": cka, "dense_error": dense_error, **(numbers or {})}
        cells = []
        for setting, own in by_setting.items():
            for value in temperature.values:
                for each in load.values:
                    for seed in range(seeds):
                        density = each if load.name == "density" else 0.05
                        row = made_cell(setting, value, each, seed, density, own, tuple(used.values()))
                        found = (changed or {}).get((setting, value, each, seed), row)
                        cells += [] if found is None else [found]
        fields: dict[str, Any] = {
            "title": "A study",
            "cells": cells,
            "temperatures": dict.fromkeys(by_setting, temperature),
            "loads": dict.fromkeys(by_setting, load),
            "terms": by_setting,
        }
        return RegimeStudy(**(fields | more))

    return make
