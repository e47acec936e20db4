"""What a job function is given beside its config and inputs: where it runs and how it reports."""

from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from secateurs.core import JobError
from secateurs.jobs import checkpoint
from secateurs.jobs.canonical import plain
from secateurs.jobs.checkpoint import Checkpoint
from secateurs.jobs.entry import DONE, LOG, METRICS
from secateurs.jobs.files import Record, record, write_json, write_tensors, writing
from secateurs.jobs.job import Numerics
from secateurs.jobs.lock import NAME as LOCK
from secateurs.jobs.meter import Reading, no_meter


class Stopped(BaseException):
    """The run was asked to stop and the job has written its checkpoint."""


class Message(NamedTuple):
    """What a worker says of the job it works on."""

    kind: Literal["started", "progress", "warned"]
    key: str
    payload: Any = None


@dataclass(frozen=True)
class Place:
    """Where jobs are worked on, and the worker's ways to hear and be heard.

    Attributes:
        device: the leased device, e.g. ``"cuda:1"``.
        threads: threads of torch's operations.
        checkpoint_seconds: time between two checkpoints of a job.
        stopping: whether the run was asked to stop.
        rest: waits for so many seconds, or less when the run is asked to stop.
        emit: sends a message to the listener.
        meter: makes the block that measures beside one sitting.
    """

    device: str
    threads: int
    checkpoint_seconds: float
    stopping: Callable[[], bool]
    rest: Callable[[float], None]
    emit: Callable[[Message], None]
    meter: Callable[[], AbstractContextManager[Reading]] = no_meter


class Context:
    """The job's own folder, device and voice. Made by the engine, for one sitting of one job.

    Attributes:
        dir: the folder of the job's entry. It may put files of its own there, which become part of
            the entry (no names that begin with a dot); a job that starts anew finds none.
        numerics: device type, dtype and threads, as in the job's key.
        where: where its data are found, as the job says.
    """

    def __init__(
        self,
        folder: Path,
        numerics: Numerics,
        where: dict[str, Any],
        place: Place,
        restored: Checkpoint | None,
        reading: Reading = lambda: None,
    ) -> None:
        self.dir = folder
        self.numerics = numerics
        self.where = where
        self._place = place
        self._restored = restored
        self._reading = reading
        self._rows = restored.rows if restored else 0
        self._saved: dict[str, Record] = dict(restored.saved) if restored else {}
        self._before = restored.seconds if restored else 0.0
        self._begun = self._kept = time.monotonic()
        # unbuffered: a row is in the system's hands as soon as it is logged, whatever happens to this process
        with writing(folder / METRICS):
            self._metrics = (folder / METRICS).open("ab", buffering=0)

    @property
    def device(self) -> torch.device:
        """The device to work on; its index is this worker's, and in no key."""
        return torch.device(self._place.device)

    @property
    def threads(self) -> int:
        """Threads of torch's operations (already set)."""
        return self._place.threads

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop; :meth:`pause_point` acts on it."""
        return self._place.stopping()

    @property
    def seconds(self) -> float:
        """Time worked on this job, over all its sittings."""
        return self._before + time.monotonic() - self._begun

    @property
    def restored(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What :meth:`pause_point` kept last, when an earlier sitting was cut off; else None."""
        return (dict(self._restored.tensors), dict(self._restored.meta)) if self._restored else None

    def log(self, row: Mapping[str, Any]) -> None:
        """Add a row to the job's metrics, and report it. Non-finite floats become null.

        Raises:
            JobError: when a value is no JSON, with its path.
            StoreError: when the row cannot be written.
        """
        values = plain(row, "row", non_finite="null")
        line = (json.dumps(values, separators=(",", ":"), allow_nan=False) + "\n").encode()
        with writing(self.dir / METRICS):
            if self._metrics.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._rows += 1
        self._place.emit(Message("progress", self.dir.name, values))

    def progress(self, **fields: Any) -> None:
        """Report how far the job is (epoch, epochs, loss, ...) without writing anything."""
        self._place.emit(Message("progress", self.dir.name, plain(fields, "progress", non_finite="null")))

    def note(self, text: str) -> None:
        """Add lines for people to the job's log, with the time of day."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        with writing(self.dir / LOG), (self.dir / LOG).open("a", encoding="utf-8") as file:
            file.writelines(f"{stamp} {line}\n" for line in text.rstrip().splitlines())

    def save(self, tensors: Mapping[str, Tensor], name: str = "tensors") -> None:
        """Write tensors for those who read this job's entry: ``entry.tensors(name)``. Whole or not at all.

        Give what changes a name of its own each time: a file that was written over after the last
        checkpoint cannot be taken back, and the job, if cut off then, starts anew.

        Raises:
            JobError: when the name is none for a file, or a value is no dense tensor.
            StoreError: when the file cannot be written.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or f"{name}.safetensors" in checkpoint.NAMES:
            raise JobError(f"save: {name!r} cannot name a file: use letters, digits, '.', '_' and '-'")
        file = f"{name}.safetensors"
        write_tensors(self.dir / file, tensors)
        self._saved[file] = record(self.dir / file)

    def pause_point(self, save: Callable[[], tuple[Mapping[str, Tensor], Mapping[str, Any]]]) -> None:
        """Say "here it is safe to be cut off", e.g. after each epoch; nearly free unless a checkpoint is due.

        ``save`` returns all that the job needs to go on from here with the same bits: tensors, and
        values that survive JSON unchanged (no tuples, keys are strings). It is called when the last
        checkpoint is old enough, or when the run is asked to stop.

        Raises:
            Stopped: after the checkpoint, when the run is asked to stop; let it pass.
            JobError, StoreError: when the checkpoint cannot be written.
        """
        stopping = self.stopping
        if stopping or time.monotonic() - self._kept >= self._place.checkpoint_seconds:
            tensors, meta = save()
            with writing(self.dir / METRICS):
                os.fsync(self._metrics.fileno())  # the rows that the checkpoint counts on must not be lost after it
            kept = Checkpoint(tensors, meta, self._rows, self._saved, self.seconds, self._measured())
            checkpoint.write(self.dir, kept)
            self._kept = time.monotonic()
        if stopping:
            raise Stopped

    def finish(self, summary: Mapping[str, Any]) -> float:
        """Close the entry: ``done.json`` comes last. Returns the seconds of all sittings. For engines."""
        values = plain(summary, "summary", non_finite="null")
        with writing(self.dir / METRICS):
            os.fsync(self._metrics.fileno())
        aside = {LOCK, LOG, DONE} | checkpoint.NAMES
        with writing(self.dir):
            names = sorted(str(path.relative_to(self.dir)) for path in self.dir.rglob("*") if path.is_file())
            files = {name: self._saved.get(name) or record(self.dir / name) for name in names if name not in aside}
        seconds = self.seconds
        written = {name: each._asdict() for name, each in files.items()}
        done = {"summary": values, "seconds": seconds, "measured": self._measured(), "files": written}
        write_json(self.dir / DONE, done)
        with writing(self.dir):
            for name in checkpoint.NAMES:
                (self.dir / name).unlink(missing_ok=True)
        return seconds

    def _measured(self) -> list[Any]:
        """What each sitting's meter says, this one's so far; what was undone with a killed sitting's work is not there.

        Raises:
            JobError: when it is no JSON.
        """
        before = self._restored.measured if self._restored else ()
        return [*before, plain(self._reading(), "measured")]

    def close(self) -> None:
        """End the sitting. For engines."""
        self._metrics.close()
