"""What several commands share: options, devices, and how a size is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import torch
import typer

from secateurs.core import TrainingError

Out = Annotated[Path | None, typer.Option("--out", help="Folder for results and report.", show_default=False)]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes that work side by side.", show_default="one for each core or GPU"),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or several as cuda:0,cuda:1.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many jobs, epochs and hours; run nothing.")]
Scale = Annotated[str | None, typer.Option(help="One of the recipe's scales: paper, small, smoke, ...")]
Settings = Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="As --set.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override, e.g. train.lr=0.3; repeatable.")]


def devices(text: str) -> tuple[str, ...]:
    """The devices that ``--device`` names, of one kind.

    Raises:
        TrainingError: when one is no device, is not there, or they are of several kinds.

    >>> devices("cpu")
    ('cpu',)
    """
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for each in found or ("",):
        try:
            kind = torch.device(each).type
        except RuntimeError:
            raise TrainingError(f"--device: {each!r} is no device: write cpu, cuda, cuda:1 or cuda:0,cuda:1") from None
        if kind not in ("cpu", "cuda"):
            raise TrainingError(f"--device: {each!r}: only cpu and cuda are known to work; leave --device out for cpu")
        if kind == "cuda" and (torch.device(each).index or 0) >= torch.cuda.device_count():
            raise TrainingError(f"--device: {each!r}: this machine has no such CUDA device; leave --device out for cpu")
    if len({torch.device(each).type for each in found}) > 1:
        raise TrainingError(f"--device: {text!r} mixes kinds of devices: bits would differ between them")
    return found


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def duration(seconds: float) -> str:
    """Hours where there are any, else minutes, else seconds.

    >>> duration(5400), duration(90), duration(0.2)
    ('1.5 hours', '1.5 minutes', '1 seconds')
    """
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(1.0, seconds):.0f} seconds"
