"""Planning P4's diagram: 9 densities x 16 stopping epochs x 1 seed, whose dense part is one run.

The recipe is ``p4/fig2`` as in print, on embedded digits, so that nothing is downloaded. Then the same study with one
more density, stopping epoch, copy or seed: how many of its jobs are new. Everything that was planned before keeps its
key, so that only the new jobs run. Reading the recipe and the data, and the first plan, which imports what it needs,
are told apart.

    python benchmarks/regimes_plan.py [--turns 5] [--seeds 1] [--clock process]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence

from secateurs.jobs import Job
from secateurs.studies import Sweep, load_recipe
from secateurs.studies.regimes.plan import RegimesPlan
from secateurs.studies.runs import load_data

EXTENDED = {
    "one more density": ["load.values=[0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.14, 0.2, 0.4, 0.8]"],
    "one more stopping epoch": [f"temperature.values={[5, *range(10, 170, 10)]}"],
    "one more copy": ["copies=4"],
    "one more seed": [],
}


def planned(seeds: int, said: Sequence[str], clock: Callable[[], float]) -> tuple[Sweep, tuple[Job, ...], float]:
    """The study with overrides, its jobs, and the seconds from the recipe to the graph and all keys."""
    begun = clock()
    on_digits = ["data=digits", "train.augment=none", f"seeds={[*range(seeds)]}"]
    sweep = Sweep(load_recipe("p4/fig2", "paper", [*on_digits, *said]))
    jobs = sweep.graph().jobs
    for job in jobs:
        _ = job.key
    return sweep, jobs, clock() - begun


def main() -> None:
    """Plan it several times, then extend it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--turns", type=int, default=5)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--clock", choices=("process", "wall"), default="process", help="process: its own seconds")
    chosen = arguments.parse_args()
    clock = time.process_time if chosen.clock == "process" else time.perf_counter
    begun = clock()
    _ = load_data(load_recipe("p4/fig2", "paper", ["data=digits", "train.augment=none"]).data).digest
    print(f"reading the recipe and the data, once: {clock() - begun:.2f} s")
    sweep, jobs, first = planned(chosen.seeds, [], clock)
    (plan,) = sweep.plans(RegimesPlan).values()
    cells, kinds = plan.cells(), Counter(job.name for job in jobs)
    times = [planned(chosen.seeds, [], clock)[2] for _ in range(chosen.turns)]
    temperatures, loads = {cell.temperature for cell in cells}, {cell.load for cell in cells}
    print(
        f"{len(loads)} densities x {len(temperatures)} stopping epochs x {chosen.seeds} seed(s), "
        f"{len(cells[0].runs)} copies: {len(jobs)} jobs, {kinds['dense_run']} of them dense runs"
    )
    print(f"planned in {statistics.median(times):.2f} s, median of {chosen.turns}; the first time {first:.2f} s\n")
    print("| job | how many |\n|---|---|")
    for name, count in kinds.items():
        print(f"| {name} | {count} |")
    print("\n| extended by | jobs | new | no longer wanted | seconds |\n|---|---|---|---|---|")
    keys = {job.key for job in jobs}
    for name, said in EXTENDED.items():
        _, wider, seconds = planned(chosen.seeds + (name == "one more seed"), said, clock)
        now = {job.key for job in wider}
        print(f"| {name} | {len(now)} | {len(now - keys)} | {len(keys - now)} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
