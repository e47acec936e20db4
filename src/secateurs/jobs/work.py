"""One sitting of one job, the same in every engine: lock, restore, run, finish."""

from __future__ import annotations

import contextlib
import random
import shutil
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from secateurs.core import StoreError, derive_seed
from secateurs.jobs import checkpoint
from secateurs.jobs.canonical import plain
from secateurs.jobs.checkpoint import Checkpoint
from secateurs.jobs.context import Context, Message, Place, Stopped
from secateurs.jobs.entry import DONE, LOG, METRICS, SPEC, Entry
from secateurs.jobs.files import temporary, write_json, writing
from secateurs.jobs.job import Function, Numerics
from secateurs.jobs.lock import NAME as LOCK
from secateurs.jobs.lock import lock

_PATIENCE = 0.1  # seconds between two looks at a lock that another process holds


@dataclass(frozen=True)
class Task:
    """A job as a worker gets it: ``spec`` says all, inputs by key. ``wait``: stay until the lock is free."""

    key: str
    spec: dict[str, Any]
    wait: bool = False


@dataclass(frozen=True)
class Result:
    """How a sitting ended. ``busy``: another process holds the job."""

    key: str
    status: Literal["done", "reused", "busy", "stopped", "failed"]
    seconds: float = 0.0
    message: str = ""


def perform(task: Task, function: Function, root: Path, place: Place) -> Result:
    """Do one job; whatever goes wrong inside it becomes a ``failed`` result."""
    try:
        with lock(root / task.key, (lambda: _queue(place)) if task.wait else None) as ours:
            if not ours:
                return Result(task.key, "busy")
            entry = Entry(root / task.key)
            if entry.done:
                return Result(task.key, "reused")
            return _sit(task, function, entry, place)
    except (Stopped, KeyboardInterrupt):
        return Result(task.key, "stopped")
    except (Exception, SystemExit) as error:  # noqa: BLE001  (one failing job does not take the others along)
        return Result(task.key, "failed", message=_said(error))


def _queue(place: Place) -> None:
    if place.stopping():
        raise Stopped
    place.rest(_PATIENCE)


def _sit(task: Task, function: Function, entry: Entry, place: Place) -> Result:
    place.emit(Message("started", task.key))
    kept, notes = _prepare(entry)
    write_json(entry.path / SPEC, task.spec)
    numerics = Numerics(**task.spec["numerics"])
    where = plain(task.spec["where"])
    with contextlib.ExitStack() as block:
        reading = block.enter_context(place.meter())
        context = Context(entry.path, numerics, where, place, kept, reading)
        block.callback(context.close)
        for text in notes:
            place.emit(Message("warned", task.key, text))
            context.note(text)
        if kept:
            context.note(f"goes on from its last checkpoint, {kept.rows} rows of metrics")
        inputs = {name: Entry(entry.path.parent / key) for name, key in task.spec["inputs"].items()}
        try:
            with seeded(task.key, context.device), reproducible(context.device):
                summary = function(plain(task.spec["config"]), inputs, context)  # a copy: theirs to change
            return Result(task.key, "done", context.finish(summary or {}))
        except (Exception, SystemExit):
            with contextlib.suppress(StoreError):  # a full disk must not hide the first error
                context.note(traceback.format_exc())
            raise


def _prepare(entry: Entry) -> tuple[Checkpoint | None, list[str]]:
    """Leave in the folder what the job goes on from, or nothing; and say what was found amiss."""
    if (entry.path / DONE).exists():
        _clear(entry.path)
        return None, ["its finished entry is damaged: made anew"]
    notes: list[str] = []
    try:
        kept = checkpoint.read(entry.path)
        if kept:
            _trim(entry.path, kept)
            return kept, notes
    except StoreError as error:
        notes.append(str(error))
    _clear(entry.path)
    return None, notes


def _trim(folder: Path, kept: Checkpoint) -> None:
    """Take back what was written after the checkpoint."""
    path = folder / METRICS
    with writing(path):
        text = path.read_bytes()
        if text.count(b"\n") < kept.rows:
            raise StoreError(f"{path}: fewer rows than the last checkpoint counted; the job starts anew")
        with path.open("r+b") as file:
            file.truncate(sum(len(row) for row in text.splitlines(keepends=True)[: kept.rows]))
        for other in folder.iterdir():
            later = other.suffix == ".safetensors" and other.name not in checkpoint.NAMES | kept.saved.keys()
            if later or temporary(other):
                other.unlink()


def _clear(folder: Path) -> None:
    """Empty the folder but for its lock and log; first what says that the rest can be relied on."""
    with writing(folder):
        for name in (DONE, checkpoint.HEAD):
            (folder / name).unlink(missing_ok=True)
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in (LOCK, LOG):
                path.unlink()


@contextlib.contextmanager
def seeded(key: str, device: torch.device) -> Iterator[None]:
    """Give the block global random states that follow from the job alone, and put the old ones back.

    Jobs draw from generators of their own; this is for what draws where nobody looked, so that a
    job's bits never depend on what its worker did before.
    """
    seed = derive_seed("job", key)
    states = random.getstate(), np.random.get_state()
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(cuda):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)
        for each in cuda:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


@contextlib.contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Ask CUDA for the same bits each time: deterministic kernels where there are any, and no TF32.

    On the CPU, where bits are the same without, nothing is changed.
    """
    if device.type != "cuda":
        yield
        return
    backends = torch.backends
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        backends.cudnn.benchmark,
        backends.cudnn.allow_tf32,
        backends.cuda.matmul.allow_tf32,
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    backends.cudnn.benchmark = backends.cudnn.allow_tf32 = backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        backends.cudnn.benchmark, backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32 = before[2:]


def _said(error: BaseException) -> str:
    name = type(error).__name__
    return f"{name}: {error}" if str(error) else name
