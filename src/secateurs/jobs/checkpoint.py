"""Where a job that is cut off goes on: tensors, values, and how much of its output stood by then.

``resume.json`` is the point of commitment; it names the tensor file (one of two, written in turn,
so that the one before is whole until the next one counts) and what it must be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from secateurs.core import JobError, StoreError
from secateurs.jobs.files import Record, read_tensors, record, write_json, write_tensors

HEAD = "resume.json"
_FILES = ("resume-0.safetensors", "resume-1.safetensors")
NAMES = frozenset({HEAD, *_FILES})


@dataclass(frozen=True)
class Checkpoint:
    """What a job goes on from.

    Attributes:
        tensors, meta: what the job gave.
        rows: rows of metrics written by then.
        saved: the tensor files saved by then.
        seconds: time worked by then.
        measured: what each sitting's meter had said by then; None for a sitting without one.
    """

    tensors: Mapping[str, Tensor]
    meta: Mapping[str, Any]
    rows: int
    saved: Mapping[str, Record]
    seconds: float
    measured: Sequence[Mapping[str, Any] | None] = ()


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Put a checkpoint in the place of the one before; killed at any point, one of the two is whole.

    Raises:
        JobError: when the values are no JSON or the tensors cannot be saved.
        StoreError: when the system refuses.
    """
    try:
        json.dumps(checkpoint.meta)
    except (TypeError, ValueError) as error:
        raise JobError(f"pause_point: what is kept beside the tensors must be JSON: {error}") from error
    current = _head(folder)
    file = _FILES[1] if current is not None and current.get("file") == _FILES[0] else _FILES[0]
    write_tensors(folder / file, checkpoint.tensors)
    head = {
        "file": file,
        "record": record(folder / file),
        "rows": checkpoint.rows,
        "seconds": checkpoint.seconds,
        "saved": checkpoint.saved,
        "measured": checkpoint.measured,
        "meta": checkpoint.meta,
    }
    write_json(folder / HEAD, head)


def read(folder: Path) -> Checkpoint | None:
    """The last checkpoint, or None when there is none.

    Raises:
        StoreError: when there is one but it, or a file saved before it, is damaged.
    """
    if not (folder / HEAD).exists():
        return None
    head = _head(folder)
    remedy = "the job starts anew"
    try:
        if head is None:
            raise ValueError("no JSON object")
        expected = Record(*head["record"])
        saved = {name: Record(*each) for name, each in head["saved"].items()}
        rows, seconds, meta, file = int(head["rows"]), float(head["seconds"]), head["meta"], _FILES.index(head["file"])
        measured = list(head.get("measured", [None]))  # an earlier version wrote none
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{folder / HEAD}: damaged ({error}); {remedy}") from error
    for name, each in saved.items():
        if not (folder / name).is_file() or record(folder / name) != each:
            raise StoreError(f"{folder / name}: not as it was at the last checkpoint; {remedy}")
    return Checkpoint(read_tensors(folder / _FILES[file], expected, remedy), meta, rows, saved, seconds, measured)


def _head(folder: Path) -> dict[str, Any] | None:
    try:
        head = json.loads((folder / HEAD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return head if isinstance(head, dict) else None
