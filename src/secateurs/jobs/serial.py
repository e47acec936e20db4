"""The serial engine: one job after the other, in this process. And what any engine is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import torch

from secateurs.core import JobError
from secateurs.jobs.context import Message, Place
from secateurs.jobs.interrupts import Interrupts
from secateurs.jobs.job import Job
from secateurs.jobs.meter import Meter, no_meter
from secateurs.jobs.work import Result, Task, perform

Emit = Callable[[Message], None]


class Crew(Protocol):
    """Workers at work for one run."""

    def submit(self, job: Job, task: Task) -> None:
        """Give a worker a job; never more at a time than the engine has slots."""
        ...

    def result(self) -> Result:
        """Wait for the next end of a sitting; messages are emitted meanwhile.

        Raises:
            Stopped: when the workers were ended because the run was asked twice to stop.
            JobError: when a worker was lost.
        """
        ...


class Engine(Protocol):
    """Where jobs are worked on."""

    @property
    def slots(self) -> int:
        """Jobs at a time."""
        ...

    @property
    def device_types(self) -> frozenset[str]:
        """Types of its devices; a job asks for one by ``numerics.device``."""
        ...

    @property
    def threads(self) -> int:
        """Threads per worker; part of each job's numerics."""
        ...

    def crew(self, root: Path, emit: Emit, interrupts: Interrupts) -> AbstractContextManager[Crew]:
        """Workers on the store at ``root``. Leaving the block by an error ends them at once."""
        ...


@dataclass(frozen=True)
class Serial:
    """One job at a time in this process, with ``threads`` threads while the run lasts, and ``meter`` beside each.

    Ctrl-C stops at the job's next pause point, a second one at once.
    """

    device: str = "cpu"
    threads: int = 1
    checkpoint_seconds: float = 60.0
    meter: Meter | None = None

    slots = 1

    @property
    def device_types(self) -> frozenset[str]:
        return frozenset({device_type(self.device)})

    @contextmanager
    def crew(self, root: Path, emit: Emit, interrupts: Interrupts) -> Iterator[Crew]:
        def at_once(count: int) -> None:
            if count > 1:
                raise KeyboardInterrupt

        interrupts.subscribe(at_once)
        place = Place(
            self.device,
            self.threads,
            self.checkpoint_seconds,
            lambda: interrupts.count > 0,
            time.sleep,
            emit,
            no_meter if self.meter is None else partial(self.meter.beside, self.device),
        )
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield _Here(root, place)
        finally:
            torch.set_num_threads(before)


class _Here:
    """A crew of one: this process."""

    def __init__(self, root: Path, place: Place) -> None:
        self._root = root
        self._place = place
        self._next: list[tuple[Job, Task]] = []

    def submit(self, job: Job, task: Task) -> None:
        self._next.append((job, task))

    def result(self) -> Result:
        job, task = self._next.pop()
        return perform(task, job.function, self._root, self._place)


def device_type(device: str) -> str:
    """``"cuda"`` of ``"cuda:1"``.

    Raises:
        JobError: when torch knows no such device.

    >>> device_type("cuda:1")
    'cuda'
    """
    try:
        return torch.device(device).type
    except RuntimeError as error:
        raise JobError(f"device {device!r} is not known to torch: write 'cpu', 'cuda' or 'cuda:0'") from error
