"""Which job comes next: the first of the graph whose inputs are done."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Literal

from secateurs.jobs.graph import closure
from secateurs.jobs.job import Job

State = Literal["open", "running", "done", "reused", "failed", "skipped"]


class Schedule:
    """The state of each job of a growing graph during one run.

    >>> dense = Job("train", 1, {})
    >>> schedule = Schedule()
    >>> _ = schedule.add([Job("prune", 1, {}, {"dense": dense}, label="pruned")])
    >>> schedule.take() == (dense, False), schedule.take()
    (True, None)
    >>> schedule.close(dense, "done")
    >>> schedule.take()[0].label
    'pruned'
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self._states: dict[str, State] = {}
        self._places: dict[str, int] = {}
        self._missing: dict[str, set[str]] = {}
        self._readers: defaultdict[str, list[Job]] = defaultdict(list)
        self._ready: list[tuple[int, str]] = []
        self._held: deque[Job] = deque()

    def add(self, jobs: Iterable[Job]) -> tuple[Job, ...]:
        """Add jobs and what they need; returns those that are new, inputs first."""
        new = tuple(job for job in closure(jobs) if job.key not in self.jobs)
        for job in new:
            self.jobs[job.key] = job
            self._states[job.key] = "open"
            self._places[job.key] = len(self._places)
            states = {each.key: self._states[each.key] for each in job.inputs.values()}
            self._missing[job.key] = {key for key, state in states.items() if state not in ("done", "reused")}
            for key in self._missing[job.key]:
                self._readers[key].append(job)
            if not self._missing[job.key]:
                heapq.heappush(self._ready, (self._places[job.key], job.key))
            elif {"failed", "skipped"} & set(states.values()):
                self.close(job, "skipped")
        return new

    def take(self) -> tuple[Job, bool] | None:
        """The next job, now running, and whether to wait for another process that has it; None when none is ready."""
        while self._ready:
            job = self.jobs[heapq.heappop(self._ready)[1]]
            if self._states[job.key] == "open":  # it may have been found done meanwhile
                self._states[job.key] = "running"
                return job, False
        return (self._held.popleft(), True) if self._held else None

    def hold(self, job: Job) -> None:
        """Another process works on the job: come back to it when nothing else is ready."""
        self._held.append(job)

    def close(self, job: Job, state: Literal["done", "reused", "failed", "skipped"]) -> None:
        """The job has come to its end; what reads it becomes ready, or is skipped."""
        self._states[job.key] = state
        for reader in self._readers.pop(job.key, ()):
            if self._states[reader.key] != "open":
                continue
            if state in ("failed", "skipped"):
                self.close(reader, "skipped")
                continue
            self._missing[reader.key].discard(job.key)
            if not self._missing[reader.key]:
                heapq.heappush(self._ready, (self._places[reader.key], reader.key))

    def those(self, state: State) -> tuple[Job, ...]:
        """The jobs in a state, in the order of the graph."""
        return tuple(job for key, job in self.jobs.items() if self._states[key] == state)

    @property
    def unfinished(self) -> bool:
        """Whether something is left that could still be done."""
        return any(state in ("open", "running") for state in self._states.values())
