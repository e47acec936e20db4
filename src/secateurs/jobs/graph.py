"""A graph of jobs: what is wanted, with all that it needs, each once, inputs first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secateurs.jobs.job import Job

if TYPE_CHECKING:
    from secateurs.jobs.entry import Entry

Grow = Callable[[Job, "Entry"], Iterable[Job]]
"""``grow(job, entry) -> more jobs``, called once for each job that is done."""


def closure(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """The jobs and all their inputs, each key once, inputs before what needs them, else in the order given.

    >>> dense = Job("train", 1, {})
    >>> pruned = [Job("prune", 1, {"at": t}, {"dense": dense}, label=f"at {t}") for t in (1, 2, 1)]
    >>> [job.label for job in closure(pruned)] == [dense.label, "at 1", "at 2"]
    True
    """
    found: dict[str, Job] = {}
    for wanted in jobs:
        path: list[tuple[Job, Iterator[Job]]] = [(wanted, iter(wanted.inputs.values()))]
        while path:  # by hand: a chain of rounds may be longer than Python's own stack
            job, inputs = path[-1]
            pending = next((each for each in inputs if each.key not in found), None)
            if pending is not None:
                path.append((pending, iter(pending.inputs.values())))
            else:
                found.setdefault(job.key, job)
                path.pop()
    return tuple(found.values())


@dataclass(frozen=True, init=False)
class Graph:
    """Jobs to be done.

    Args:
        jobs: the jobs that are wanted; what they need is added.
        grow: called once for each job that is done (also when it was done before); the jobs it
            returns, with what they need, are added. This is how a study goes on from what it found.
    """

    jobs: tuple[Job, ...]
    grow: Grow | None

    def __init__(self, jobs: Iterable[Job], grow: Grow | None = None) -> None:
        object.__setattr__(self, "jobs", closure(jobs))
        object.__setattr__(self, "grow", grow)

    def __len__(self) -> int:
        return len(self.jobs)
