"""Costs as columns of a CSV table: one run, one row, with every number that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from secateurs.report.costs.measures import batch_ratio

_COUNTED = (
    *("parameters", "weights", "weights_kept", "weight_sparsity", "nodes", "nodes_kept", "node_sparsity"),
    *("multiply_adds_dense", "multiply_adds", "bytes_dense", "bytes_csr", "bytes_csr_16", "bytes_buffers"),
    *("epochs", "density_area", "training_flops", "bytes_peak", "bytes_peak_dense", "device"),
)
_OF_THE_CLOCK = ("seconds", "seconds_signals", "seconds_scoring")
_TIMES = ("batch", "batch_dense")

COST_COLUMNS: tuple[str, ...] = (
    *_COUNTED,
    *_OF_THE_CLOCK,
    *(f"seconds_{name}{part}" for name in _TIMES for part in ("", "_first_quartile", "_third_quartile")),
    *("seconds_batch_ratio", "seconds_clock", "kilowatt_hours", "kilograms_co2eq", "energy_estimated", "energy_basis"),
)
"""What depends on the clock begins with ``seconds``, or is of energy. ``density_area`` is in epochs."""


def cost_columns(costs: Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """The columns :data:`COST_COLUMNS` of a run's costs; None where a number is not known.

    >>> cost_columns({"weights": 100, "batch": {"seconds": 0.5, "quartiles": [0.4, 0.6], "clock": "cpu"}})["weights"]
    100
    """
    row: dict[str, str | int | float | bool | None] = {name: costs.get(name) for name in (*_COUNTED, *_OF_THE_CLOCK)}
    for name in _TIMES:
        time = costs.get(name) or {}
        first, third = time.get("quartiles", (None, None))
        row |= {f"seconds_{name}": time.get("seconds")}
        row |= {f"seconds_{name}_first_quartile": first, f"seconds_{name}_third_quartile": third}
    row |= {"seconds_batch_ratio": batch_ratio(costs), "seconds_clock": (costs.get("batch") or {}).get("clock")}
    emissions = costs.get("emissions") or {}
    named = {"kilowatt_hours": "kilowatt_hours", "kilograms_co2eq": "kilograms"}
    row |= {name: emissions.get(known) for name, known in named.items()}
    return row | {"energy_estimated": emissions.get("estimated"), "energy_basis": emissions.get("basis")}
