"""The entry of one job in a store: what it was asked, what it measured, what it left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor

from secateurs.core import StoreError, did_you_mean
from secateurs.jobs.files import Record, read_tensors
from secateurs.jobs.lock import held

State = Literal["done", "running", "partial", "absent", "damaged"]

SPEC, METRICS, LOG, DONE = "spec.json", "metrics.jsonl", "log", "done.json"


class _Report(NamedTuple):
    summary: dict[str, Any]
    seconds: float
    files: dict[str, Record]
    measured: tuple[dict[str, Any] | None, ...]


@dataclass(frozen=True)
class Entry:
    """A folder ``<root>/<key>``; every property reads the disk anew.

    ``done.json`` is written last, so that its presence says that all the rest is there.
    """

    path: Path

    @property
    def key(self) -> str:
        """The key of the job."""
        return self.path.name

    @property
    def done(self) -> bool:
        """Whether the job is finished and each of its files has the size it was finished with."""
        report = self._report()
        return report is not None and all(
            (file := self.path / name).is_file() and file.stat().st_size == size
            for name, (size, _) in report.files.items()
        )

    @property
    def state(self) -> State:
        """``running`` means that a living process holds its lock; ``damaged``, done but no longer whole."""
        if self.done:
            return "done"
        if held(self.path):
            return "running"
        if (self.path / DONE).exists():
            return "damaged"
        return "partial" if (self.path / SPEC).exists() else "absent"

    @property
    def spec(self) -> dict[str, Any]:
        """What was asked: name, version, config, input keys, parts, data, numerics, label, cost, group.

        Raises:
            StoreError: when the job was never begun.
        """
        try:
            spec: dict[str, Any] = json.loads((self.path / SPEC).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.path / SPEC}: cannot be read ({error}); {self._remedy}") from error
        return spec

    @property
    def summary(self) -> dict[str, Any]:
        """What the job returned.

        Raises:
            StoreError: when it is not finished.
        """
        return self._finished().summary

    @property
    def seconds(self) -> float:
        """How long the job worked, over all its sittings.

        Raises:
            StoreError: when it is not finished.
        """
        return self._finished().seconds

    @property
    def measured(self) -> tuple[dict[str, Any] | None, ...]:
        """What the meter beside the job said of each of its sittings; None of one without a meter.

        Raises:
            StoreError: when it is not finished.
        """
        return self._finished().measured

    @property
    def log(self) -> Path:
        """The text file with the job's own messages and the traceback of a failure."""
        return self.path / LOG

    def rows(self) -> list[dict[str, Any]]:
        """The rows of metrics so far, in order; of a job that is not finished, those written whole.

        Raises:
            StoreError: when a row is no JSON.
        """
        try:
            text = (self.path / METRICS).read_bytes()
        except FileNotFoundError:
            return []
        try:
            return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
        except ValueError as error:
            raise StoreError(f"{self.path / METRICS}: damaged ({error}); {self._remedy}") from error

    def tensors(self, name: str = "tensors") -> dict[str, Tensor]:
        """The tensors that the job saved under ``name``, on the CPU, checked against their sha256.

        Raises:
            StoreError: when the job is not finished, saved none of that name, or the file is damaged.
        """
        records = self._finished().files
        file = f"{name}.safetensors"
        if file not in records:
            names = [Path(known).stem for known in records if known.endswith(".safetensors")]
            raise StoreError(f"{self.path}: the job saved no tensors called {name!r}{did_you_mean(name, names)}")
        return read_tensors(self.path / file, records[file], self._remedy)

    @property
    def _remedy(self) -> str:
        return f"delete {self.path} and run again: only this job, and what was not finished, is made anew"

    def _finished(self) -> _Report:
        report = self._report()
        if report is None:
            raise StoreError(f"{self.path}: the job is not finished (it is {self.state}); run it first")
        return report

    def _report(self) -> _Report | None:
        try:
            done = json.loads((self.path / DONE).read_text(encoding="utf-8"))
            files = {name: Record(each["size"], each["sha256"]) for name, each in done["files"].items()}
            measured = tuple(done.get("measured", [None]))  # an earlier version wrote none
            return _Report(done["summary"], float(done["seconds"]), files, measured)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
