"""Planning a study of lottery tickets with 20 levels, 3 replicates and 3 rewinding moments: within a second.

Then the same study with one more level, one more rewinding moment, one more replicate: how many of its jobs are new.
Everything that was planned before keeps its key, so that only the new jobs run. The first plan also reads the data;
that is told apart.

    python benchmarks/ticket_plan.py [--turns 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from secateurs.studies import Sweep
from secateurs.studies.recipe import check
from secateurs.studies.runs import load_data

STUDY: dict[str, Any] = {
    "study": "tickets",
    "title": "A large study of lottery tickets",
    "model": {"name": "lenet_300_100"},
    "data": {"name": "digits"},
    "train": {"epochs": 30, "batch_size": 60, "lr": 1.2e-3, "optimizer": "adam", "schedule": "constant"},
    "seeds": [0, 1, 2],
    "levels": 20,
    "rate": 0.2,
    "rewind": [0, "50it", "100it"],
    "tickets": {
        "IMP": {},
        "random re-initialisation": {"weights": "redrawn"},
        "layer-wise random": {"shuffled": True, "weights": "redrawn"},
        "global random": {"search": "random", "weights": "redrawn"},
        "LRR": {"weights": "trained"},
    },
    "instability": {"copies": 3, "of": ["dense", "IMP"], "levels": [5, 10, 15, 20]},
}
EXTENDED: dict[str, dict[str, Any]] = {
    "one more level": {"levels": 21},
    "one more rewinding moment": {"rewind": [0, "50it", "100it", "150it"]},
    "one more replicate": {"seeds": [0, 1, 2, 3]},
    "one more ticket": {"tickets": {**STUDY["tickets"], "one-shot IMP": {"search": "one_shot"}}},
    "one more copy to compare": {"instability": {**STUDY["instability"], "copies": 4}},
}


def planned(change: dict[str, Any]) -> tuple[set[str], float]:
    """The keys of the study's jobs with a change, and the seconds from the recipe to the graph and all keys."""
    begun = time.perf_counter()
    jobs = Sweep(check({**STUDY, **change}, "benchmark")).graph().jobs
    keys = {job.key for job in jobs}
    return keys, time.perf_counter() - begun


def main() -> None:
    """Plan it several times, then extend it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--turns", type=int, default=5)
    chosen = arguments.parse_args()
    begun = time.perf_counter()
    recipe = check(STUDY, "benchmark")
    _ = load_data(recipe.data).digest
    print(f"reading the recipe and the data, once: {time.perf_counter() - begun:.2f} s")
    times = [planned({}) for _ in range(chosen.turns)]
    keys, seconds = times[0][0], statistics.median(seconds for _, seconds in times)
    print(
        f"20 levels, 3 replicates, 3 rewinding moments, {len(STUDY['tickets'])} tickets: {len(keys)} jobs planned in ",
        end="",
    )
    print(f"{seconds:.2f} s, median of {chosen.turns} (goal: under 1)\n")
    print("| extended by | jobs | new | no longer wanted | seconds |\n|---|---|---|---|---|")
    for name, change in EXTENDED.items():
        wider, seconds = planned(change)
        print(f"| {name} | {len(wider)} | {len(wider - keys)} | {len(keys - wider)} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
