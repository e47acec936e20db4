"""Comparisons of pairs of copies, joined as one comparison of all copies would tell them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from secateurs.jobs import Graph, Job, Serial, Store, job, run
from secateurs.papers.p2_tickets import joined


@job("told_pair", version=1)
def told_pair(config: dict[str, Any], inputs: Any, ctx: Any) -> dict[str, Any]:
    """A comparison that says what it is told."""
    del inputs
    for row in config["rows"]:
        ctx.log(row)
    summary: dict[str, Any] = config["summary"]
    return summary


def pair(seeds: tuple[int, int], lost: tuple[int, ...] = (), apart: float = 0.1) -> Job:
    rows = [] if lost else [{"part": part, "instability": apart} for part in ("train", "test")]
    summary = {
        "diverged": None,
        "diverged_copies": list(lost),
        "train_instability": None if lost else apart,
        "test_instability": None if lost else apart,
        "stable": None if lost else apart < 0.02,
        "l2_from_initialisation": 3.0,
        "l2_to_the_end": [float(seed) for seed in seeds if seed not in lost],
    }
    return Job("told_pair", 1, {"order_seeds": list(seeds), "rows": rows, "summary": summary})


def told(jobs: list[Job], store: Store) -> dict[str, Any]:
    return joined(jobs, [row for each in jobs for row in store.entry(each).rows()], store)


def test_three_copies_are_one_comparison(tmp_path: Path) -> None:
    store = Store(tmp_path)
    jobs = [pair((7, 8), apart=0.01), pair((7, 9), apart=0.02), pair((8, 9), apart=0.03)]
    run(Graph(jobs[:2]), store, Serial())
    assert told(jobs, store) == {}
    run(Graph(jobs), store, Serial())
    found = told(jobs, store)
    assert found.pop("seconds") >= 0
    assert found == {
        "diverged": None,
        "diverged_copies": [],
        "train_instability": pytest.approx(0.02),
        "test_instability": pytest.approx(0.02),
        "stable": False,
        "l2_from_initialisation": 3.0,
        "l2_to_the_end": [7.0, 8.0, 9.0],
    }


def test_a_copy_that_diverged_is_named_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    jobs = [pair((7, 8), lost=(8,)), pair((7, 9), apart=0.01), pair((8, 9), lost=(8,))]
    run(Graph(jobs), store, Serial())
    found = told(jobs, store)
    assert (found["diverged_copies"], found["l2_to_the_end"]) == ([8], [7.0, 9.0])
    assert (found["train_instability"], found["stable"]) == (0.01, True)


def test_where_nothing_was_trained_that_is_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    jobs = [
        Job("told_pair", 1, {"order_seeds": [one, other], "rows": [], "summary": {"diverged": "1ep"}})
        for one, other in ((7, 8), (7, 9), (8, 9))
    ]
    run(Graph(jobs), store, Serial())
    assert told(jobs, store)["diverged"] == "1ep"
