"""The engine of several processes on one machine: the standard library's pool, started by a fork server."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path

from secateurs.core import JobError
from secateurs.jobs import worker
from secateurs.jobs.context import Message, Stopped
from secateurs.jobs.interrupts import Interrupts
from secateurs.jobs.job import Function, Job
from secateurs.jobs.meter import Meter
from secateurs.jobs.serial import Crew, Emit, device_type
from secateurs.jobs.work import Result, Task

_PRELOAD = ("torch", "torch._dynamo")  # the first optimiser of a process imports dynamo


@dataclass(frozen=True)
class Processes:
    """``n`` workers, each with ``threads`` threads and one of ``devices`` in turn.

    Workers die with this process. Job functions must be importable by module and name; a script
    that runs this engine needs the usual ``if __name__ == "__main__":``. ``preload`` names modules
    that workers need: the fork server imports them once, unless another part of the program started it before.
    ``meter`` is at work beside each job.

    Ctrl-C lets each job write a checkpoint at its next pause point; a second one ends them at once.
    """

    n: int
    devices: tuple[str, ...] = ("cpu",)
    threads: int = 1
    checkpoint_seconds: float = 60.0
    preload: tuple[str, ...] = _PRELOAD
    meter: Meter | None = None

    def __post_init__(self) -> None:
        if self.n < 1 or not self.devices:
            raise JobError(f"processes: expected n >= 1 and at least one device, got n={self.n}, {self.devices}")

    @property
    def slots(self) -> int:
        return self.n

    @property
    def device_types(self) -> frozenset[str]:
        types = frozenset(map(device_type, self.devices))
        if len(types) > 1:
            raise JobError(f"processes: devices of several types ({', '.join(sorted(types))}): use one engine for each")
        return types

    @contextmanager
    def crew(self, root: Path, emit: Emit, interrupts: Interrupts) -> Iterator[Crew]:
        _start_fork_server((*self.preload, worker.__name__))
        crew = _Pool(self, root, emit, interrupts)
        try:
            yield crew
        except BaseException:
            crew.end_workers()
            raise
        finally:
            crew.close()


def _start_fork_server(preload: tuple[str, ...]) -> None:
    """Start the fork server deaf to Ctrl-C: the whole terminal group gets it, this process alone answers."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(preload))
    resource_tracker.ensure_running()  # first: it unblocks the signal when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool:
    """The workers of one run, and the pipes between them and this process."""

    def __init__(self, engine: Processes, root: Path, emit: Emit, interrupts: Interrupts) -> None:
        context = multiprocessing.get_context("forkserver")
        self._emit = emit
        self._interrupts = interrupts
        self._labels: dict[str, str] = {}
        self._closing = False
        self._inbox: queue.SimpleQueue[Message | Result | BaseException] = queue.SimpleQueue()
        ears, self._mouth = context.Pipe(duplex=False)
        # Two one-way ropes. Nothing is ever sent: letting go of this end says it to every worker, without a lock
        # that a killed worker could take along.
        stop_ear, self._stop = context.Pipe(duplex=False)
        leash_ear, self._leash = context.Pipe(duplex=False)
        self._theirs = (stop_ear, leash_ear)
        leases = context.SimpleQueue()
        given = [engine.devices[i % len(engine.devices)] for i in range(engine.n)]
        for device in given:
            leases.put(device)
        self._leases = leases
        beside = None if engine.meter is None else worker.Beside(engine.meter, engine.n, Counter(given))
        setting = (root, engine.threads, engine.checkpoint_seconds, beside)
        ropes = worker.Ropes(leases, self._mouth, context.Lock(), stop_ear, leash_ear)
        self._pool = ProcessPoolExecutor(
            engine.n, mp_context=context, initializer=worker.start, initargs=(*setting, ropes)
        )
        self._reader = threading.Thread(target=_listen, args=(ears, self._inbox), daemon=True)
        self._reader.start()
        interrupts.subscribe(self._interrupted)

    def submit(self, job: Job, task: Task) -> None:
        self._labels[task.key] = job.label
        try:
            self._pool.submit(worker.work, task, *_reference(job.function)).add_done_callback(self._ended)
        except BrokenProcessPool as error:
            self._inbox.put(error)

    def result(self) -> Result:
        while True:
            match self._inbox.get():
                case Message() as message:
                    self._emit(message)
                case Result() as result:
                    self._labels.pop(result.key, None)
                    return result
                case BrokenProcessPool() if self._interrupts.count:
                    raise Stopped
                case BrokenProcessPool() as error:
                    raise JobError(
                        "a worker was ended by the system (out of memory? then use fewer workers) or could not start "
                        "(a script needs `if __name__ == '__main__':`), while these were worked on: "
                        f"{', '.join(self._labels.values())}. Finished jobs are kept; run again to go on"
                    ) from error
                case error:
                    raise error

    def end_workers(self) -> None:
        """Let go of the leash: every worker exits at once, wherever it is."""
        self._leash.close()

    def close(self) -> None:
        """Wait until all workers are gone, then until their last words are read."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._closing = True  # a late Ctrl-C must not close an end that is being closed
        for end in (self._stop, self._leash, self._mouth, *self._theirs):
            end.close()
        self._leases.close()
        self._reader.join()

    def _interrupted(self, count: int) -> None:
        if self._closing:
            return
        if count == 1:
            self._stop.close()
        else:
            self.end_workers()

    def _ended(self, future: Future[None]) -> None:
        """A result comes through the pipe, behind its job's messages; only what kept it from coming is of use here."""
        if not future.cancelled() and (error := future.exception()) is not None:
            self._inbox.put(error)


def _listen(ears: Connection, inbox: queue.SimpleQueue[Message | Result | BaseException]) -> None:
    """Until every worker, and this process, has let go of the other end."""
    with ears:
        while True:
            try:
                inbox.put(ears.recv())
            except EOFError:
                return
            except Exception as error:  # noqa: BLE001  (handed to the thread that waits for a result)
                inbox.put(error)


def _reference(function: Function) -> tuple[str, str]:
    """Module and name under which a worker finds a function.

    Raises:
        JobError: when it cannot, as with a function inside another.
    """
    module, name = function.__module__, getattr(function, "__qualname__", "")
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function:
        raise JobError(f"{module}.{name}: workers cannot import it; move the job function to the top level of a module")
    return module, name
