"""Made-up copies whose instabilities, errors and distances can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from secateurs.report import DenseRun
from secateurs.report.tickets import DENSE, Copies, Start, TicketRun, TicketStudy

STEPS = {"0ep": 0, "50it": 50, "2ep": 200}
"""The rewinding moments that were tried; 100 steps make an epoch, ten epochs the training."""

DENSITIES = {0: 1.0, 1: 0.5, 2: 0.25}

DENSE_ERROR = (0.10, 0.11, 0.12)
"""Test error of the dense network, by seed; train errors are 0.05 lower, of all networks."""

INSTABILITY: dict[tuple[str, int], tuple[tuple[float, ...], ...]] = {
    (DENSE, 0): ((0.5, 0.3, 0.01), (0.5, 0.3, 0.01), (0.5, 0.01, 0.01)),
    ("IMP", 1): ((0.4, 0.01, 0.0), (0.4, 0.01, 0.0), (0.4, 0.2, 0.0)),
    ("IMP", 2): ((0.6, 0.6, 0.01), (0.6, 0.6, 0.3), (0.6, 0.01, 0.3)),
    ("random", 1): ((0.7, 0.6, 0.01), (0.7, 0.6, 0.3), (0.7, 0.6, 0.01)),
    ("random", 2): ((0.8, 0.8, 0.8), (0.8, 0.8, 0.8), (0.8, 0.8, 0.8)),
}
"""By network the instability on training data, by seed and moment; on test data it is 0.01 more."""

WORSE: dict[tuple[str, int], tuple[float, ...]] = {
    ("IMP", 1): (0.03, 0.001, -0.01),
    ("IMP", 2): (0.05, 0.03, 0.001),
    ("random", 1): (0.04, 0.02, 0.0),
    ("random", 2): (0.30, 0.30, 0.30),
}
"""By subnetwork the test error minus the dense one's of the same seed, by moment."""


def rows(instability: float, error: float, untils: Sequence[str] = ("10ep",), copies: int = 3) -> list[dict[str, Any]]:
    """The rows of every pair and part: errors rise from ``error`` by the instability, in the middle."""
    return [
        {
            **{"moment": "0ep", "until": until, "seeds": [one, other], "part": part, "instability": high},
            **{"loss_increase": 0.5, "alphas": [0.0, 0.5, 1.0], "errors": [low, low + high, low]},
            **{"losses": [0.3, 0.8, 0.3], "l2": 4.0 + one, "cosine": 0.25, "differing": 7 * other},
            **{"loss_l2": 2.0, "examples": 100},
        }
        for until in untils
        for one, other in combinations(range(1, copies + 1), 2)
        for part, low, high in (("train", error - 0.05, instability), ("test", error, instability + 0.01))
    ]


def result(error: float) -> dict[str, Any]:
    """The summary of a network with this test error."""
    accuracies = {"test_accuracy": 1 - error, "validation_accuracy": 1 - error, "train_accuracy": 1.05 - error}
    return {**accuracies, "diverged": None, "seconds": 1.0}


def copies(name: str, level: int, rewind: str, seed: int, after: str = "continue", **more: Any) -> Copies:
    """The copies of one network, as INSTABILITY and WORSE say; ``more`` goes to their rows."""
    place = list(STEPS).index(rewind)
    error = DENSE_ERROR[seed] + (WORSE[name, level][place] if level else 0.0)
    own = rows(INSTABILITY[name, level][seed][place], error, **more)
    summary = {"l2_from_initialisation": 2.0 * place, "l2_to_the_end": [9.0, 10.0, 11.0], "diverged": None}
    where = ("net", name, level, DENSITIES[level], rewind, STEPS[rewind], seed)
    return Copies(*where, after, own, {**summary, "diverged_copies": []})


def every(seeds: int, rewind: Sequence[str], names: Sequence[tuple[str, int]], **more: Any) -> Iterator[Copies]:
    """The copies of these networks."""
    for name, level in names:
        for at in rewind:
            for seed in range(seeds):
                yield copies(name, level, at, seed, **more)


def study(
    seeds: int = 3,
    rewind: Sequence[str] = tuple(STEPS),
    names: Sequence[tuple[str, int]] = tuple(INSTABILITY),
    **more: Any,
) -> TicketStudy:
    """A whole study of these networks, all of whose copies were compared."""
    runs = [
        TicketRun(
            *("net", name, level, DENSITIES[level], at, STEPS[at], seed),
            result(DENSE_ERROR[seed] + (WORSE[name, level][list(STEPS).index(at)] if level else 0.0)),
        )
        for name, level in names
        for at in rewind
        for seed in range(seeds)
    ]
    starts = [
        Start("net", seed, at, STEPS[at], {**result(0.9 - STEPS[at] / 400), "l2_from_initialisation": 1.0})
        for at in rewind
        for seed in range(seeds)
    ]
    fields: dict[str, Any] = {
        "title": "A study",
        "dense": [DenseRun(seed, "net", 100, 10, [], result(DENSE_ERROR[seed])) for seed in range(seeds)],
        "runs": runs,
        "tickets": {"IMP": "iterative", "random": "shuffled"},
        "roles": {"IMP": "iterative", "random": "shuffled"},
        "steps": {"net": 1000},
        "steps_per_epoch": {"net": 100},
        "copies": list(every(seeds, rewind, names)),
        "starts": starts,
    }
    return TicketStudy(**(fields | more))
