"""A made-up benchmark whose numbers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from secateurs.report import GRID, DenseRun, PrunedRun, RankingStudy, Study

MakeBench = Callable[..., RankingStudy]

GRID_TEST = {0.0: 0.50, 4.0: 0.75, 8.0: 0.625}
"""Test and validation accuracy at each moment of the grid, the same for every seed."""

AT_END = 0.25
"""Test accuracy of a network that is pruned at the end, epoch 10."""

MEANINGS = {"peak": "after the peak", "half": "at half", "end": "at the end"}


def result(test: float | None, **more: Any) -> dict[str, Any]:
    """A summary with this accuracy."""
    if test is None:
        return {}
    return {"test_accuracy": test, "validation_accuracy": test, "train_accuracy": 1.0, "seconds": 10.0, **more}


def logged() -> list[dict[str, Any]]:
    """A dense run's rows: an epoch takes 0.8 s of training, and 0.2 s of signals; the untrained network only these."""
    first, *rest = ({"epoch": at, "loss": 1.0, "seconds/loss": 0.05, "seconds/other": 0.15} for at in range(11))
    return [first, *({**row, "seconds": 1.0} for row in rest)]


@pytest.fixture
def make_bench() -> MakeBench:
    """``make(peaks={setting: {seed: (epoch, test) or None}}, end=True, **fields of RankingStudy)``."""

    def make(peaks: Any = None, *, end: bool = True, study: Any = None, **more: Any) -> RankingStudy:
        if peaks is None:
            peaks = {
                "a": {0: (2.0, 0.75), 1: (2.0, 0.625), 2: (6.0, 0.75)},
                "b": {0: (4.0, 0.75), 1: None, 2: (6.0, 0.875)},
                "c <i>": {0: (1.0, 0.50), 1: (1.0, 0.50), 2: (1.0, 0.50)},
            }
        dense, pruned = [], []
        for setting, by_seed in peaks.items():
            for seed, at in by_seed.items():
                log = logged()
                dense.append(DenseRun(seed, setting, 7, 10, log, result(0.875)))
                runs = {epoch: [test, [GRID]] for epoch, test in GRID_TEST.items()}
                runs[5.0] = [0.6875, ["half"]]
                if end:
                    runs[10.0] = [AT_END, ["end"]]
                if at is not None:
                    runs.setdefault(at[0], [at[1], []])[1].append("peak")
                    runs[at[0]][0] = at[1] if GRID not in runs[at[0]][1] else runs[at[0]][0]
                pruned += [
                    PrunedRun(seed, setting, f"{epoch:g}ep", epoch, 0.1, tuple(by), result(test))
                    for epoch, (test, by) in runs.items()
                ]
        meanings = {name: text for name, text in MEANINGS.items() if end or name != "end"}
        fields: dict[str, Any] = {
            "triggers": meanings,
            "needs": {name: ["loss"] if name == "peak" else [] for name in meanings},
            "signals": ["loss"],
        }
        made = Study(**({"title": "A benchmark", "dense": dense, "pruned": pruned} | fields | (study or {})))
        return RankingStudy(made, **more)

    return make
