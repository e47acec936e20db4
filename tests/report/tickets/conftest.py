"""A made-up study of tickets whose numbers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from secateurs.report import DenseRun
from secateurs.report.tickets import DENSE, Copies, Dilated, Start, TicketRun, TicketStudy

MakeTickets = Callable[..., TicketStudy]

ACCURACY = (0.930, 0.932, 0.934)
"""Test accuracy of the dense network, by seed."""

DENSITIES = {1: 0.8, 2: 0.64, 3: 0.512}

TICKETS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "IMP": ("iterative", (0.004, 0.001, -0.010)),
    "one-shot IMP": ("one-shot", (0.004, -0.003, -0.020)),
    "LRR": ("trained", (0.004, 0.003, -0.002)),
    "random re-initialisation": ("redrawn", (0.002, -0.005, -0.030)),
    "layer-wise random": ("shuffled", (0.001, -0.006, -0.035)),
    "global random": ("random", (-0.001, -0.010, -0.300)),
}
"""Each ticket's role, and its test accuracy minus the dense network's of the same seed, by level, rewound to k = 0."""

LATER = {"IMP": (0.005, 0.003, -0.001)}
"""The same of tickets that do better from k = 500."""

REWIND = {"0ep": 0, "500it": 500}


def result(test: float, **more: Any) -> dict[str, Any]:
    """A summary with this test accuracy."""
    numbers = {"test_accuracy": test, "validation_accuracy": test, "train_accuracy": test + 0.05}
    return {**numbers, "diverged": None, "seconds": 2.0, **more}


def gone(moment: str) -> dict[str, Any]:
    """The summary of a run that was trained and diverged."""
    return {**result(0.1), "diverged": moment}


def facts(density: float, *empty: str) -> dict[str, Any]:
    """What is known of a mask over two layers."""
    return {"density": density, "layer_densities": {"a.weight": density, "b.weight": density}, "empty_layers": [*empty]}


def looks(test: float, fastest: int, begin: int = 0, steps: int = 1000) -> list[dict[str, Any]]:
    """A look every 100 steps: accuracy rises to ``test``, validation loss is lowest at step ``fastest``."""
    return [
        {
            **{"looked": True, "moment": f"{step}it", "steps": step, "epoch": step / 100},
            "validation_loss": 0.5 + abs(step - fastest) / 1000,
            "test_accuracy": test - 0.5 * (1 - step / steps) ** 3,
        }
        for step in range(begin, steps + 1, 100)
    ]


def runs_of(name: str, seed: int, rewind: str | None, below: Sequence[float], look: bool) -> Iterator[TicketRun]:
    """The levels of a ticket on one seed."""
    step = None if rewind is None else REWIND[rewind]
    for level, density in DENSITIES.items():
        test = ACCURACY[seed] + below[level - 1]
        rows = looks(test, 800 - 100 * level, step or 0) if look else ()
        place = ("net", name, level, density, rewind, step, seed)
        yield TicketRun(*place, result(test, **facts(density)), rows, facts(density))


def every_run(seeds: int, rewind: Sequence[str], look: bool) -> Iterator[TicketRun]:
    """All runs: dense at each moment, then the tickets; LRR has no moment."""
    for seed in range(seeds):
        for at in rewind:
            rows = looks(ACCURACY[seed], 700, REWIND[at]) if look else ()
            yield TicketRun("net", DENSE, 0, 1.0, at, REWIND[at], seed, result(ACCURACY[seed]), rows)
        for name, (role, below) in TICKETS.items():
            for at in rewind if role != "trained" else (None,):
                better = LATER.get(name, below) if at == "500it" else below
                yield from runs_of(name, seed, at, better, look)


@pytest.fixture
def make_tickets() -> MakeTickets:
    """``make(seeds=3, rewind=("0ep",), look=True, changed={(ticket, level, seed): summary}, **fields of TicketStudy)``.

    ``changed`` is of every rewinding moment, ``changed_at`` of one: (ticket, level, seed, moment). ``without`` leaves
    out tickets at moments.
    """

    def make(
        seeds: int = 3,
        rewind: Sequence[str] = ("0ep",),
        look: bool = True,
        changed: Mapping[tuple[str, int, int], Mapping[str, Any]] | None = None,
        changed_at: Mapping[tuple[str, int, int, str], Mapping[str, Any]] | None = None,
        without: Sequence[tuple[str, str]] = (),
        **more: Any,
    ) -> TicketStudy:
        runs = []
        for run in every_run(seeds, rewind, look):
            if (run.ticket, run.rewind) in without:
                continue
            summary = (changed or {}).get((run.ticket, run.level, run.seed))
            summary = (changed_at or {}).get((run.ticket, run.level, run.seed, run.rewind or ""), summary)
            same = (run.setting, run.ticket, run.level, run.density, run.rewind, run.step, run.seed)
            runs.append(run if summary is None else TicketRun(*same, summary))
        fields: dict[str, Any] = {
            "title": "A study",
            "dense": [DenseRun(seed, "net", 100, 10, [], result(ACCURACY[seed])) for seed in range(seeds)],
            "runs": runs,
            "tickets": {name: f"what {name} is" for name in TICKETS},
            "roles": {name: role for name, (role, _) in TICKETS.items()},
            "steps": {"net": 1000},
            "steps_per_epoch": {"net": 100},
            "constant_rate": True,
        }
        return TicketStudy(**(fields | more))

    return make


def dilated(seeds: int = 3) -> list[Dilated]:
    """Dense matches from 0.8 on, IMP's first level from 0.4 on, its third at no factor on seed 1."""
    least: dict[tuple[str, int], float] = {(DENSE, 0): 0.8, ("IMP", 1): 0.4, ("IMP", 2): 0.6, ("IMP", 3): 1.0}
    made = []
    for (name, level), enough in least.items():
        for seed in range(seeds):
            for factor in (0.2, 0.4, 0.6, 0.8, 1.0):
                reached = factor >= enough and (name, level, seed) != ("IMP", 3, 1)
                test = ACCURACY[seed] - (0.0 if reached else 0.05)
                made.append(Dilated("net", name, level, DENSITIES.get(level, 1.0), seed, factor, result(test)))
    return made


def start(seed: int, rewind: str) -> Start:
    """The dense network at a rewinding moment."""
    summary = {"test_accuracy": 0.5, "train_accuracy": 0.5, "l2_from_initialisation": 0.25, "diverged": None}
    return Start("net", seed, rewind, REWIND[rewind], summary)


def pair(part: str, instability: float, until: str = "10ep") -> dict[str, Any]:
    """A row of two compared copies."""
    errors = [0.1, 0.1 + instability, 0.1]
    return {
        **{"moment": "0ep", "until": until, "seeds": [1, 2], "part": part, "instability": instability},
        **{"loss_increase": 0.1, "alphas": [0.0, 0.5, 1.0], "errors": errors, "losses": [0.3, 0.4, 0.3]},
        **{"l2": 3.0, "cosine": 0.5, "differing": 7, "loss_l2": 2.0, "examples": 100},
    }


def copies(name: str, level: int, rewind: str, seed: int, instability: float) -> Copies:
    """Compared copies of one network."""
    rows = [pair("train", instability), pair("test", instability)]
    summary = {"test_instability": instability, "train_instability": instability, "stable": instability < 0.02}
    density = DENSITIES.get(level, 1.0)
    return Copies("net", name, level, density, rewind, REWIND[rewind], seed, "continue", rows, summary)
