"""What several commands share: options, devices, and how a size is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer

from secateurs.core import MeasureError, RecipeError, SecateursError, TrainingError
from secateurs.jobs import Meter, Outcome, Store
from secateurs.measure.costs import check_energy, energy_of_job

WORLD = "world"
"""In place of a country: the world's mix of electricity."""

Out = Annotated[Path | None, typer.Option("--out", help="Folder for results and report.", show_default=False)]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes that work side by side.", show_default="one for each core or GPU"),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or several as cuda:0,cuda:1.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many jobs, epochs and hours; run nothing.")]
Scale = Annotated[str | None, typer.Option(help="One of the recipe's scales: paper, small, smoke, ...")]
Settings = Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="As --set.")]
Energy = Annotated[
    str | None,
    typer.Option(
        "--energy",
        metavar="COUNTRY",
        help="Measure each job's energy and CO2eq by CodeCarbon (extra energy), with a country's mix of electricity, "
        "by its ISO code such as DEU, or with the world's: world.",
        show_default="not measured",
    ),
]
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


@contextmanager
def about(recipe: str, but: str | None = None) -> Iterator[None]:
    """Says of what is wrong with a recipe, line by line, whose it is: ``recipe mine.yaml: prune.exclude: ...``.

    Lines that start with ``but`` are left as they are: they speak of the command line.

    >>> with about("mine.yaml"):
    ...     raise TrainingError("moments: 900it lies outside the run")
    Traceback (most recent call last):
    ...
    secateurs.core.errors.RecipeError: recipe mine.yaml: moments: 900it lies outside the run
    """
    try:
        yield
    except SecateursError as error:
        begin = f"recipe {recipe}"
        lines = str(error).split("\n")
        known = (begin,) if but is None else (begin, but)
        told = [line if line.startswith(known) else f"{begin}: {line}" for line in lines]
        raise RecipeError("\n".join(told)) from error


def meter_of(energy: str | None) -> Meter | None:
    """What measures energy beside each job, where ``--energy`` asks for it.

    Raises:
        MeasureError: without the extra, or for an unknown country.
    """
    if energy is None:
        return None
    country = None if energy == WORLD else energy
    check_energy()  # first of all whether energy can be measured, with a remedy that is not the country's
    try:
        check_energy(country)
    except MeasureError:
        raise MeasureError(
            f"--energy: CodeCarbon knows no country {energy!r}: give an ISO code of three capital letters, such as "
            f"--energy DEU, or take the world's average: --energy {WORLD}"
        ) from None
    return Meter(energy_of_job.__module__, energy_of_job.__name__, {"country": country})


def not_measured(outcome: Outcome, store: Store) -> str:
    """What is to be said of results that were there before, without their energy; empty where there are none."""
    without = sum(None in store.entry(job).measured for job in outcome.reused)
    if not without:
        return ""
    return (
        f"The energy of {without} of {len(outcome.reused) + len(outcome.done)} jobs is not known: they were done "
        "before without --energy. A folder of another name (--out) has them done again."
    )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def amount(size: float) -> str:
    """Bytes as GB, MB or kB.

    >>> amount(2.34e9), amount(1.5e6), amount(300)
    ('2.3 GB', '1.5 MB', '1 kB')
    """
    for unit, each in (("GB", 1e9), ("MB", 1e6)):
        if size >= each:
            return f"{size / each:.1f} {unit}"
    return f"{max(1.0, size / 1e3):.0f} kB"


def duration(seconds: float) -> str:
    """Hours where there are any, else minutes, else seconds.

    >>> duration(5400), duration(90), duration(0.2)
    ('1.5 hours', '1.5 minutes', '1 seconds')
    """
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(1.0, seconds):.0f} seconds"
