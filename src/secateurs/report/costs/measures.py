"""What is told of costs: each measure's name, how it is read from a run's costs, and in which units it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from secateurs.report.words import NOTHING, SPACE

Costs = Mapping[str, Any]
"""A run's costs as they came from the store: a key may be absent or None where nothing was measured."""

Units = Sequence[tuple[str, float]]
"""Names and sizes, from large to small."""

_TIMES: Units = (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_BYTES: Units = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("bytes", 1.0))
_GRAMS: Units = (("kg", 1e3), ("g", 1.0), ("mg", 1e-3), ("µg", 1e-6))
_WATT_HOURS: Units = (("kWh", 1e3), ("Wh", 1.0), ("mWh", 1e-3))
_COUNTS: Units = (("billion", 1e9), ("million", 1e6), ("thousand", 1e3), ("", 1.0))
_TURNS: Units = (("\N{MULTIPLICATION SIGN}", 1.0),)
_SHARES: Units = (("%", 0.01),)


@dataclass(frozen=True)
class Measure:
    """One column of costs.

    Attributes:
        title: in a table's head.
        value: of a run's costs, in seconds, bytes, grams, watt-hours, or a plain number; None: not known.
        units: in which it is shown.
        better: which end is good; None: neither.
    """

    title: str
    value: Callable[[Costs], float | None]
    units: Units
    better: Literal["low", "high"] | None = "low"


def _named(name: str, scale: float = 1.0) -> Callable[[Costs], float | None]:
    def value(costs: Costs) -> float | None:
        found = costs.get(name)
        return None if found is None else scale * found

    return value


def _within(outer: str, inner: str, scale: float = 1.0) -> Callable[[Costs], float | None]:
    def value(costs: Costs) -> float | None:
        found = costs.get(outer)
        return None if found is None else scale * found[inner]

    return value


def _disk(costs: Costs) -> float | None:
    stored = [size for size in (costs.get("bytes_dense"), costs.get("bytes_csr")) if size is not None]
    return float(min(stored)) if stored else None


def batch_ratio(costs: Costs) -> float | None:
    """Batch time over that of the dense network, which was timed turn by turn with it; None: not measured so.

    >>> batch_ratio({"batch": {"seconds": 1.0}, "batch_dense": {"seconds": 4.0}}), batch_ratio({})
    (0.25, None)
    """
    own, dense = costs.get("batch"), costs.get("batch_dense")
    return own["seconds"] / dense["seconds"] if own and dense and dense["seconds"] else None


MEASURES: dict[str, Measure] = {
    "weight_sparsity": Measure("Weight sparsity", _named("weight_sparsity"), _SHARES, None),
    "node_sparsity": Measure("Node sparsity", _named("node_sparsity"), _SHARES, None),
    "seconds": Measure("Training time", _named("seconds"), _TIMES),
    "seconds_signals": Measure("of which signals", _named("seconds_signals"), _TIMES),
    "seconds_scoring": Measure("of which scoring", _named("seconds_scoring"), _TIMES),
    "batch": Measure("Batch time", _within("batch", "seconds"), _TIMES),
    "batch_ratio": Measure("Batch time over dense", batch_ratio, _TURNS),
    "memory": Measure("Peak memory", _named("bytes_peak"), _BYTES),
    "disk": Measure("Disk", _disk, _BYTES),
    "emissions": Measure("CO2eq", _within("emissions", "kilograms", 1e3), _GRAMS),
    "energy": Measure("Energy", _within("emissions", "kilowatt_hours", 1e3), _WATT_HOURS),
    "multiply_adds": Measure("Multiply-adds", _named("multiply_adds"), _COUNTS),
    "parameters": Measure("Parameters", _named("parameters"), _COUNTS),
}
"""By name, in the order in which they are shown."""

CLOCKED = ("seconds", "seconds_signals", "seconds_scoring", "batch", "batch_ratio", "emissions", "energy")
"""What depends on the clock, and with it on what else the machine did."""

LAYOUT = ("weight_sparsity", "node_sparsity", "seconds", "batch", "memory", "disk", "emissions", "multiply_adds")
"""The columns of P1's tables 1, 2, 5 and 6 beside the accuracy, and multiply-adds."""


def unit_of(values: Sequence[float], units: Units) -> tuple[str, float]:
    """The largest unit of which the largest value is at least one; the smallest where there is none.

    >>> unit_of([30.0, 90.0], _TIMES), unit_of([], _BYTES)
    (('min', 60.0), ('bytes', 1.0))
    """
    largest = max(map(abs, values), default=0.0)
    return next((unit for unit in units if largest >= unit[1]), units[-1])


def digits(value: float | None) -> str:
    """A number in three digits or so, without an exponent.

    >>> digits(123.4), digits(12.34), digits(1.234), digits(0.01234), digits(0.0), digits(None)
    ('123', '12.3', '1.23', '0.0123', '0', '–')
    """
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    if 0 < value < 0.001:
        return "< 0.001".replace(" ", SPACE)
    size = abs(value)
    return f"{value:,.0f}" if size >= 99.95 else f"{value:.1f}" if size >= 9.995 else f"{value:#.3g}"


def in_words(name: str, value: float | None) -> str:
    """A value of a measure with its unit, for sentences.

    >>> in_words("seconds", 90.0).replace(SPACE, " "), in_words("disk", None)
    ('1.50 min', '–')
    """
    if value is None:
        return NOTHING
    unit, size = unit_of([value], MEASURES[name].units)
    return f"{digits(value / size)}{SPACE}{unit}" if unit else digits(value / size)
