"""A whole study against the sum of its parts' training time, on two workers: at most 1.15.

What is counted as training is the ``seconds`` of each epoch's row, measured inside the jobs; all
the rest (starting workers, loading data, scoring, checkpoints, final evaluation, scheduling, the
tail where one worker has nothing left to do) is overhead.

    python benchmarks/study_time.py [RECIPE SCALE] [key=value ...]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from secateurs.jobs import Processes, Store, run
from secateurs.studies import Sweep, load_recipe
from secateurs.studies.runs import PRELOAD

WORKERS = 2


def main() -> None:
    """Run the study once in an empty folder and print the ratio."""
    arguments = sys.argv[1:] or ["demo", "demo"]
    recipe = load_recipe(arguments[0], arguments[1], arguments[2:])
    sweep = Sweep(recipe)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        begun = time.perf_counter()
        run(sweep.graph(), store, Processes(WORKERS, preload=PRELOAD)).raise_for_failures()
        wall = time.perf_counter() - begun
        jobs = sweep.jobs(store)
        training = sum(row.get("seconds", 0.0) for job in jobs for row in store.entry(job).rows())
    print(f"{arguments[0]} at scale {arguments[1]}: {len(jobs)} jobs on {WORKERS} workers")
    print(f"wall {wall:.1f} s, training {training:.1f} s in all, {training / WORKERS:.1f} s a worker")
    print(f"ratio wall / (training / workers) = {wall / (training / WORKERS):.3f} (goal: at most 1.15)")


if __name__ == "__main__":
    main()
