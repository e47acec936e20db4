"""Made-up measured runs whose numbers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from secateurs.report.importance import ImportanceRun, ImportanceStudy

MakeStudy = Callable[..., ImportanceStudy]

COEFFICIENTS = (0.25, 0.5, 0.5, 0.75, 1.0)
DISTANCES = (0.5, 0.25, 0.125, 0.0625, 0.03125)
LAYERS = ("conv.weight", "blocks.0.weight", "blocks.1.weight", "fc.weight")


def logged(shift: float) -> list[dict[str, Any]]:
    """Five epochs: three looked-at layers with norms 2, 1, 1 (then 1, 1, 2); correlations that rise as masks settle."""
    rows: list[dict[str, Any]] = [
        {"epoch": 0, "measured": "flow", "unit": "channels", "correlation": 0.5, "entries": 9}
    ]
    for epoch, (coefficient, apart) in enumerate(zip(COEFFICIENTS, DISTANCES, strict=True), start=1):
        norms = [2.0, 1.0, 1.0, 7.0] if epoch < 5 else [1.0, 1.0, 2.0, 7.0]
        rows.append({"epoch": epoch, "loss": 1.0, "gradient_norms": norms})
        change = {"correlation": coefficient - shift, "of_sums": 0.5, "of_scales": None, "mask_distance": apart}
        rows.append({"epoch": epoch, "measured": "change", "unit": "channels", **change, "entries": 9})
    rows.append({"epoch": 5, "measured": "flow", "unit": "channels", "correlation": 0.75 - shift, "entries": 9})
    return rows


def result(**more: Any) -> dict[str, Any]:
    """The summary of a run that went well."""
    layers = {"layers": list(LAYERS), "widths": [4, 4, 8, 10], "looked_at": list(LAYERS[:3])}
    return {"test_accuracy": 0.75, "validation_accuracy": 0.75, "train_accuracy": 1.0, "seconds": 3.0, **layers, **more}


@pytest.fixture
def make_study() -> MakeStudy:
    """``make(**fields of ImportanceStudy)``: one setting, seeds 0 and 1, the second a quarter lower."""

    def make(**fields: Any) -> ImportanceStudy:
        pairs = {(0, "channels"): [(0.1, 1.0), (-0.2, -1.0)], (5, "channels"): [(0.1, 2.0), (0.3, 4.0)]}
        runs = [ImportanceRun("one", seed, 5, logged(0.25 * seed), pairs, result()) for seed in (0, 1)]
        return ImportanceStudy(**{"title": "A study", "runs": runs, "masked": {"one": 0.8}, **fields})

    return make
