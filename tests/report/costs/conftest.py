"""Costs as the store has them, made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

MakeCosts = Callable[..., dict[str, Any]]


def time_of(seconds: float) -> dict[str, Any]:
    return {"seconds": seconds, "quartiles": [seconds, seconds], "repeats": 20, "examples": 128, "clock": "cpu"}


@pytest.fixture
def costs() -> MakeCosts:
    """``costs(batch=0.1, dense=0.2, **more)``: what was counted, and more."""

    def make(batch: float | None = None, dense: float | None = None, **more: Any) -> dict[str, Any]:
        counted: dict[str, Any] = {
            "weight_sparsity": 0.9,
            "node_sparsity": 0.25,
            "multiply_adds_dense": 2_000_000,
            "multiply_adds": 150_000,
            "bytes_dense": 4_000_000,
            "bytes_csr": 800_000,
            "bytes_peak": None,
            "batch": None if batch is None else time_of(batch),
            "batch_dense": None if dense is None else time_of(dense),
            "device": "cpu",
            "seconds": 90.0,
            "emissions": None,
        }
        return counted | more

    return make


@pytest.fixture
def emissions() -> dict[str, Any]:
    return {
        "kilowatt_hours": 0.25,
        "kilograms": 0.05,
        "estimated": True,
        "basis": "processor: a guess",
        "grid": "the mix of Germany",
        "tool": "CodeCarbon 3",
    }
