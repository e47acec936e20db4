"""A main process for the tests to kill: ``toy_main.py STORE ENGINE`` runs the study and prints its outcome."""

import json
import sys

import toy_jobs

from secateurs.jobs import Event, Graph, Processes, Serial, Store, Waiting, run


def main(root: str, engine: str) -> None:
    engines = {
        "serial": Serial(checkpoint_seconds=0),
        "processes": Processes(2, checkpoint_seconds=0, preload=("torch",)),
    }

    def listener(event: Event) -> None:
        if isinstance(event, Waiting):
            sys.stdout.write(f"waiting for {event.job.label}\n")
            sys.stdout.flush()

    outcome = run(Graph(toy_jobs.study()), Store(root), engines[engine], listener=listener)
    counts = {name: len(getattr(outcome, name)) for name in ("done", "reused", "failed", "skipped")}
    sys.stdout.write(json.dumps(counts | {"stopped": outcome.stopped}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
