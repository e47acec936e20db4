"""What hours and energy cost in money (P1 appendix A)."""

from __future__ import annotations

V100_16GB = 2.48
"""US dollars for an hour of a V100 with 16 GB (P1 appendix A)."""

V100_32GB = 4.96
"""US dollars for an hour of a V100 with 32 GB (P1 appendix A)."""


def money(
    hours: float, *, per_hour: float = V100_16GB, kilowatt_hours: float = 0.0, per_kilowatt_hour: float = 0.0
) -> float:
    """Price of a run, in the currency of the prices: hours of a machine, and energy where it is paid apart.

    P1's figure 1: its large ResNeXt needs 4.6 hours of a GPU with 32 GB, cut before training 0.64 hours of one with 16.

    >>> round(money(4.6, per_hour=V100_32GB), 3), round(money(0.64), 2)
    (22.816, 1.59)
    >>> money(10, per_hour=0, kilowatt_hours=2.5, per_kilowatt_hour=0.4)
    1.0
    """
    return hours * per_hour + kilowatt_hours * per_kilowatt_hour
