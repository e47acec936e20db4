"""What runs in a worker process of :class:`secateurs.jobs.processes.Processes`."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Lock
from pathlib import Path
from typing import Any, NamedTuple

import torch

from secateurs.jobs.context import Message, Place
from secateurs.jobs.meter import Meter, Reading, no_meter
from secateurs.jobs.work import Result, Task, perform


class Ropes(NamedTuple):
    """A worker's connections to the main process.

    Attributes:
        leases: one device for each worker.
        mouth, turn: the pipe for messages and results, and whose turn it is to speak.
        stop: readable (at its end) once the run was asked to stop.
        leash: readable (at its end) once the worker must exit.
    """

    leases: SimpleQueue[str]
    mouth: Connection
    turn: Lock
    stop: Connection
    leash: Connection


class Beside(NamedTuple):
    """The meter beside each job, and how many workers there are, in all and on each device."""

    meter: Meter
    workers: int
    on_device: Mapping[str, int]


class _Worker(NamedTuple):
    root: Path
    place: Place
    ropes: Ropes


_worker: _Worker | None = None


def start(root: Path, threads: int, checkpoint_seconds: float, beside: Beside | None, ropes: Ropes) -> None:
    """Make this process a worker: deaf to Ctrl-C, tied to its parent, with its own device."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_exit_with_parent, args=(ropes.leash,), daemon=True).start()
    torch.set_num_threads(threads)

    def rest(seconds: float) -> None:
        ropes.stop.poll(seconds)

    device = ropes.leases.get()
    meter: Callable[[], AbstractContextManager[Reading]] = no_meter
    if beside is not None:
        meter = partial(beside.meter.beside, device, beside.workers, beside.on_device[device])
    place = Place(
        device,
        threads,
        checkpoint_seconds,
        ropes.stop.poll,
        rest,
        lambda message: _say(ropes, message),
        meter,
    )
    _worker = _Worker(root, place, ropes)


def work(task: Task, module: str, name: str) -> None:
    """Do one job; the result goes behind its messages, through the same pipe."""
    if _worker is None:
        raise RuntimeError("worker.work() outside a started worker")
    try:
        function: Any = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
    except Exception as error:  # noqa: BLE001  (importing runs the user's code)
        text = f"the worker cannot import {module}.{name}: {type(error).__name__}: {error}"
        _say(_worker.ropes, Result(task.key, "failed", message=text))
        return
    _say(_worker.ropes, perform(task, function, _worker.root, _worker.place))


def _say(ropes: Ropes, message: Message | Result) -> None:
    with ropes.turn:
        ropes.mouth.send(message)


def _exit_with_parent(leash: Connection) -> None:
    parent = multiprocessing.parent_process()
    wait([leash] if parent is None else [leash, parent.sentinel])
    os._exit(1)  # at once: no job may go on, or hold its lock, behind a parent that is gone
