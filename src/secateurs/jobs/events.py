"""What happens to jobs, as values: ``run`` hands each event to its listener, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from secateurs.jobs.job import Job


@dataclass(frozen=True)
class Started:
    """A worker has begun the job, or goes on with it from its last checkpoint."""

    job: Job


@dataclass(frozen=True)
class Progress:
    """The job said how far it is: a row of its metrics, or fields such as epoch, epochs, loss."""

    job: Job
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Finished:
    """The job is done and its entry written; ``seconds`` counts all its sittings."""

    job: Job
    seconds: float


@dataclass(frozen=True)
class Reused:
    """The job was done before, or by another process; it was not run here."""

    job: Job


@dataclass(frozen=True)
class Failed:
    """The job raised; the traceback is in its log."""

    job: Job
    message: str


@dataclass(frozen=True)
class Waiting:
    """Another process runs this job; a worker waits for it."""

    job: Job


@dataclass(frozen=True)
class Warned:
    """Something is wrong that does not stop the job, e.g. a damaged entry that is made anew."""

    job: Job
    text: str


@dataclass(frozen=True)
class Grown:
    """The graph has grown by these jobs."""

    jobs: tuple[Job, ...]


Event = Started | Progress | Finished | Reused | Failed | Waiting | Warned | Grown
Listener = Callable[[Event], None]
