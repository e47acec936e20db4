"""Timing by turns: what is compared is run alternately in one process, so that a drifting machine favours nobody."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """Seconds of each call of one contestant."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """First and third quartile."""
        quarters = statistics.quantiles(self.seconds, n=4)
        return quarters[0], quarters[2]


def by_turns(
    contestants: Mapping[str, Callable[[], object]],
    turns: int,
    warm_up: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Times]:
    """Call each contestant once per turn, ``turns`` times after ``warm_up`` uncounted ones.

    ``clock=time.process_time`` counts this process's own seconds, for machines that others work on as well.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(warm_up + turns):
        for name, call in contestants.items():
            begun = clock()
            call()
            if turn >= warm_up:
                seconds[name].append(clock() - begun)
    return {name: Times(tuple(each)) for name, each in seconds.items()}


def table(times: Mapping[str, Times], reference: str, unit: float = 1e3, unit_name: str = "ms") -> str:
    """A Markdown table: median, quartiles, and the ratio of medians to ``reference``."""
    lines = [f"| what | median ({unit_name}) | quartiles | ratio |", "|---|---|---|---|"]
    base = times[reference].median
    for name, each in times.items():
        low, high = each.spread
        lines.append(
            f"| {name} | {each.median * unit:.3g} | {low * unit:.3g} to {high * unit:.3g} | {each.median / base:.3f} |"
        )
    return "\n".join(lines)
