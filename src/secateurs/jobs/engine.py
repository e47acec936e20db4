"""Run a graph of jobs: each is done once, ever; what is done is kept, whatever happens later."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from secateurs.core import JobError
from secateurs.jobs.context import Message, Stopped
from secateurs.jobs.events import (
    Failed,
    Finished,
    Grown,
    Listener,
    Progress,
    Reused,
    Started,
    Waiting,
    Warned,
)
from secateurs.jobs.graph import Graph
from secateurs.jobs.interrupts import listening
from secateurs.jobs.job import Job
from secateurs.jobs.schedule import Schedule
from secateurs.jobs.serial import Engine, Serial
from secateurs.jobs.store import Store
from secateurs.jobs.work import Result, Task

_SERIAL = Serial()


@dataclass(frozen=True)
class Outcome:
    """How a run ended, each part in the order of the graph.

    Attributes:
        done: jobs that were done now.
        reused: jobs that were done before, or by another process meanwhile.
        failed: jobs that raised, with the message; the traceback is in the entry's log.
        skipped: jobs that need a failed one.
        stopped: whether the run was asked to stop and something is left to do.
        root: the folder of the store.
    """

    done: tuple[Job, ...]
    reused: tuple[Job, ...]
    failed: dict[Job, str]
    skipped: tuple[Job, ...]
    stopped: bool
    root: Path

    def raise_for_failures(self) -> None:
        """Raise when something failed.

        Raises:
            JobError: with label, message and log of each failed job.
        """
        if self.failed:
            lines = (f"  {job.label}: {text} (log: {self.root / job.key / 'log'})" for job, text in self.failed.items())
            skipped = f"; {len(self.skipped)} that need them were skipped" if self.skipped else ""
            raise JobError("\n".join([f"{len(self.failed)} of the jobs failed{skipped}:", *lines]))


def run(graph: Graph, store: Store, engine: Engine = _SERIAL, *, listener: Listener | None = None) -> Outcome:
    """Do the jobs of a graph that are not done, in its order as far as inputs allow.

    A job that raises is recorded and what needs it is skipped; the rest goes on, and the caller
    decides (:meth:`Outcome.raise_for_failures`). On Ctrl-C jobs write a checkpoint at their next
    pause point and the run returns; a second Ctrl-C ends them at once. However a run ends, the next
    one goes on where it was. Several processes may run on one store at a time: each job is done once.

    Args:
        listener: called with each event, in this thread. What it raises ends the run.

    Raises:
        JobError: when a job's function, device or threads are not those of the code and the engine,
            or a worker was ended by the system.
        StoreError: when the store cannot be read.

    >>> import tempfile
    >>> from secateurs.jobs.job import REGISTRY, job
    >>> @job("example.square")
    ... def square(config, inputs, ctx):
    ...     return {"y": config["x"] ** 2}
    >>> jobs = [Job("example.square", 1, {"x": x}, label=f"x={x}") for x in (2, 3)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     outcome = run(Graph(jobs), Store(folder))
    ...     again = run(Graph(jobs), Store(folder))
    ...     [Store(folder).entry(job).summary for job in outcome.done], len(again.reused)
    ([{'y': 4}, {'y': 9}], 2)
    >>> _ = REGISTRY.pop("example.square")
    """
    this = _Run(graph, store, engine, listener or (lambda _: None))
    with listening() as interrupts:
        stopped = False
        try:
            this.admit(this.schedule.add(graph.jobs))
            if this.schedule.unfinished:
                with engine.crew(store.root, this.hear, interrupts) as crew:
                    working = 0
                    while True:
                        stopped = stopped or interrupts.count > 0
                        while working < engine.slots and not stopped and (task := this.next_task()):
                            crew.submit(*task)
                            working += 1
                        if not working:
                            break
                        result = crew.result()
                        working -= 1
                        stopped = stopped or result.status == "stopped"
                        this.take_in(result)
        except (KeyboardInterrupt, Stopped):
            stopped = True
    return this.outcome(stopped)


class _Run:
    """The bookkeeping of one run: events out, results in, the graph growing."""

    def __init__(self, graph: Graph, store: Store, engine: Engine, listener: Listener) -> None:
        self.schedule = Schedule()
        self._graph = graph
        self._store = store
        self._engine = engine
        self._tell = listener
        self._messages: dict[Job, str] = {}

    def admit(self, jobs: Iterable[Job]) -> None:
        """Look at jobs that are new in the schedule: those that are done count at once, and may bring others."""
        new = deque(jobs)
        while new:
            job = new.popleft()
            if self._store.entry(job).done:
                new.extend(self._done(job, Reused(job)))
            else:
                self._check(job)

    def next_task(self) -> tuple[Job, Task] | None:
        """The next job and what its worker needs to know."""
        taken = self.schedule.take()
        if taken is None:
            return None
        job, wait = taken
        if wait:
            self._tell(Waiting(job))
        return job, Task(job.key, job.spec, wait)

    def hear(self, message: Message) -> None:
        """Pass on what a worker says."""
        job = self.schedule.jobs[message.key]
        match message.kind:
            case "started":
                self._tell(Started(job))
            case "progress":
                self._tell(Progress(job, message.payload))
            case "warned":
                self._tell(Warned(job, message.payload))

    def take_in(self, result: Result) -> None:
        """Draw the consequences of the end of a sitting."""
        job = self.schedule.jobs[result.key]
        match result.status:
            case "done":
                self.admit(self._done(job, Finished(job, result.seconds)))
            case "reused":
                self.admit(self._done(job, Reused(job)))
            case "busy":
                self.schedule.hold(job)
            case "failed":
                self._messages[job] = result.message
                self.schedule.close(job, "failed")
                self._tell(Failed(job, result.message))
            case "stopped":
                pass  # it stays unfinished

    def outcome(self, asked_to_stop: bool) -> Outcome:
        """What it all came to."""
        failed = {job: self._messages[job] for job in self.schedule.those("failed")}
        done, reused, skipped = (self.schedule.those(state) for state in ("done", "reused", "skipped"))
        return Outcome(done, reused, failed, skipped, asked_to_stop and self.schedule.unfinished, self._store.root)

    def _done(self, job: Job, event: Finished | Reused) -> tuple[Job, ...]:
        self.schedule.close(job, "done" if isinstance(event, Finished) else "reused")
        self._tell(event)
        if self._graph.grow is None:
            return ()
        new = self.schedule.add(self._graph.grow(job, self._store.entry(job)))
        if new:
            self._tell(Grown(new))
        return new

    def _check(self, job: Job) -> None:
        """Refuse before the work what would fail, or give other bits than the key promises."""
        _ = job.function
        asked, engine = job.numerics, self._engine
        if asked.device not in engine.device_types:
            types = ", ".join(sorted(engine.device_types))
            raise JobError(f"{job.label}: made for device {asked.device!r}, the engine has {types}: change one of them")
        if asked.threads != engine.threads:
            raise JobError(
                f"{job.label}: made for threads={asked.threads}, the engine has threads={engine.threads}: "
                "change one of them (rounding follows the number of threads)"
            )
